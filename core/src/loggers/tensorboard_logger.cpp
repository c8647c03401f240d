#include "grapnel/loggers/tensorboard_logger.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <utility>

#include "grapnel/base/error.h"
#include "loggers/event_file.h"
#include "loggers/logger_options.h"

namespace grapnel {

namespace {

constexpr const char* kPlaceholder = "hp_metric";

// {"a": {"b": 1}} -> {"a/b": 1}
void flatten(const StateDict& settings, const std::string& prefix, StateDict& out) {
  for (const auto& [key, value] : settings) {
    const std::string name = prefix.empty() ? key : prefix + "/" + key;
    if (value.is_dict()) {
      flatten(value.to_dict(), name, out);
    } else {
      out[name] = value;
    }
  }
}

}  // namespace

TensorBoardLogger::TensorBoardLogger(TensorBoardLoggerOptions options)
    : directory_(std::move(options.directory)),
      prefix_(std::move(options.prefix)),
      default_hp_metric_(options.default_hp_metric),
      clock_(options.clock == nullptr ? system_clock() : *options.clock) {}

TensorBoardLogger::~TensorBoardLogger() = default;

const OptionsTable<TensorBoardLoggerOptions>& TensorBoardLogger::options_table() {
  using O = TensorBoardLoggerOptions;
  static const OptionsTable<TensorBoardLoggerOptions> table(
      "tensorboard", "Event files for TensorBoard.",
      {embed(&O::directory, log_directory_options()),
       option("prefix", &O::prefix).doc("Put before every metric's name, with a '-' between."),
       option("default_hp_metric", &O::default_hp_metric)
           .doc("With hyper-parameters, log a metric 'hp_metric' of -1 at step 0.")});
  return table;
}

double TensorBoardLogger::now() const {
  return clock_.wall_time();
}

EventFile& TensorBoardLogger::file() {
  if (file_ == nullptr) {
    directory_.claim();
    file_ = std::make_unique<EventFile>(directory_.path(), now());
  }
  if (const auto step = std::exchange(purge_step_, std::nullopt)) file_->purge_from(*step, now());
  return *file_;
}

void TensorBoardLogger::start() {
  directory_.claim();
}

void TensorBoardLogger::log_metrics(const Metrics& metrics, int64_t step) {
  for (const auto& [name, value] : metrics) {
    file().scalar(prefix_.empty() ? name : prefix_ + "-" + name, value, step, now());
  }
  next_step_ = std::max(next_step_, step + 1);
}

void TensorBoardLogger::log_hyperparams(const StateDict& hyper_parameters) {
  for (const auto& [key, value] : hyper_parameters) hyper_parameters_[key] = value;
  directory_.claim();
  write_hparams(directory_.path(), hyper_parameters_);
  StateDict flat;
  flatten(hyper_parameters_, "", flat);
  if (default_hp_metric_) log_metrics({{kPlaceholder, -1.0}}, 0);
  file().begin_session(flat, default_hp_metric_ ? kPlaceholder : "", now());
  session_open_ = true;
}

void TensorBoardLogger::log_text(std::string_view tag, std::string_view text, int64_t step) {
  file().text(tag, text, step, now());
  next_step_ = std::max(next_step_, step + 1);
}

void TensorBoardLogger::log_histogram(std::string_view tag, const at::Tensor& values,
                                      int64_t step) {
  if (!values.defined()) throw ConfigError({}, "log_histogram was given an undefined tensor");
  const at::Tensor numbers = values.detach().to(at::kCPU, at::kDouble).contiguous();
  file().histogram(tag, {numbers.const_data_ptr<double>(), static_cast<size_t>(numbers.numel())},
                   step, now());
  next_step_ = std::max(next_step_, step + 1);
}

void TensorBoardLogger::save() {
  if (file_ != nullptr) file_->flush();
}

void TensorBoardLogger::finalize(const std::string& status) {
  if (std::exchange(session_open_, false)) file().end_session(status == "success", now());
  save();
}

StateDict TensorBoardLogger::state_dict() const {
  if (file_ != nullptr) file_->flush();
  return {{"format", 1}, {"next_step", next_step_}};
}

void TensorBoardLogger::load_state_dict(const StateDict& state) {
  const int64_t format = state.at("format").to_int();
  const int64_t step = state.at("next_step").to_int();
  if (format != 1) {
    throw CheckpointError({},
                          "the state of TensorBoardLogger is of a newer format; update grapnel");
  }
  next_step_ = step;
  purge_step_ = step;
}

}  // namespace grapnel
