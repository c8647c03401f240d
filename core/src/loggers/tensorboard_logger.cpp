#include "grapnel/loggers/tensorboard_logger.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <system_error>
#include <utility>

#include "grapnel/base/digest.h"
#include "grapnel/base/error.h"
#include "grapnel/base/files.h"
#include "grapnel/base/log.h"
#include "grapnel/base/text.h"
#include "loggers/event_file.h"
#include "loggers/logger_options.h"
#include "loggers/metric_text.h"

namespace grapnel {

namespace fs = std::filesystem;

namespace {

constexpr const char* kPlaceholder = "hp_metric";
constexpr int64_t kFormat = 1;

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

TensorBoardLogger::~TensorBoardLogger() {
  write_at_the_end(file_.get(), save_failed_);
}

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
    settle_directory();
    file_ = std::make_unique<EventFile>(directory_.path(), now());
  }
  if (const auto step = std::exchange(purge_step_, std::nullopt)) file_->purge_from(*step, now());
  if (std::exchange(session_pending_, false)) begin_session();
  return *file_;
}

// Leaves only what belongs to this run among the files that TensorBoard reads.
void TensorBoardLogger::settle_directory() {
  if (!history_is_known_) return;
  const std::vector<std::string> names = event_files_in(directory_.path());
  std::erase_if(history_, [&](const auto& file) {
    return std::find(names.begin(), names.end(), file.first) == names.end();
  });
  if (history_.empty()) session_.clear();
  for (const std::string& name : names) {
    const fs::path path = directory_.path() / name;
    const auto own = std::find_if(history_.begin(), history_.end(),
                                  [&](const auto& file) { return file.first == name; });
    std::error_code error;
    if (own != history_.end()) {
      const auto bytes = static_cast<std::uintmax_t>(own->second);
      if (fs::file_size(path, error) > bytes && !error) fs::resize_file(path, bytes, error);
      if (error) throw IoError("shorten", path, error.value());
    } else if (!history_.empty() && begins_with_purge(path)) {
      // An attempt to resume that ended before its first checkpoint.
      if (!fs::remove(path, error)) throw IoError("remove", path, error.value());
    } else {
      move_aside(name);
    }
  }
}

void TensorBoardLogger::move_aside(const std::string& name) const {
  const fs::path path = directory_.path() / name;
  fs::path free;
  std::error_code error;
  for (int number = 1; free.empty() || fs::exists(free, error); ++number) {
    free = directory_.path() / fmt::format("events-{}.out", number);
  }
  if (!error) fs::rename(path, free, error);
  if (error) throw IoError("move aside", path, error.value());
  log_warning("{} was there already, from another run; it is now {}, which TensorBoard leaves out",
              quote(display_path(path)), quote(free.filename().string()));
}

// Writes the hyper-parameters, unless the files have them.
void TensorBoardLogger::begin_session() {
  StateDict flat;
  flatten(hyper_parameters_, "", flat);
  session_open_ = true;
  const std::string text = settings_yaml(flat);
  std::string digest = hex(xxh3_64(std::as_bytes(std::span(text))));
  if (digest == session_) return;
  const bool is_first = session_.empty();
  session_ = std::move(digest);
  if (default_hp_metric_ && is_first) {
    file_->scalar(tag_of(kPlaceholder), -1.0, 0, now());
    next_step_ = std::max<int64_t>(next_step_, 1);
  }
  file_->begin_session(flat, default_hp_metric_ ? kPlaceholder : "", now());
}

std::string TensorBoardLogger::tag_of(const std::string& metric) const {
  return prefix_.empty() ? metric : prefix_ + "-" + metric;
}

void TensorBoardLogger::start() {
  directory_.claim();
}

void TensorBoardLogger::log_metrics(const Metrics& metrics, int64_t step) {
  for (const auto& [name, value] : metrics) {
    file().scalar(tag_of(name), value, step, now());
  }
  next_step_ = std::max(next_step_, step + 1);
}

void TensorBoardLogger::log_hyperparams(const StateDict& hyper_parameters) {
  for (const auto& [key, value] : hyper_parameters) hyper_parameters_[key] = value;
  session_pending_ = true;
  directory_.claim();
  write_hparams(directory_.path(), hyper_parameters_);
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
  save_failed_ = true;
  if (file_ != nullptr) file_->flush();
  save_failed_ = false;
}

void TensorBoardLogger::finalize(const std::string& status) {
  if (session_pending_) file();
  if (std::exchange(session_open_, false)) file().end_session(status == "success", now());
  save();
}

StateDict TensorBoardLogger::state_dict() const {
  StateList files;
  for (const auto& [name, bytes] : history_) files.emplace_back(StateList{name, bytes});
  if (file_ != nullptr) {
    write_what_is_possible(*file_);
    if (file_->size() > 0) {
      files.emplace_back(
          StateList{file_->path().filename().string(), static_cast<int64_t>(file_->size())});
    }
  }
  return {{"format", kFormat},
          {"next_step", next_step_},
          {"files", std::move(files)},
          {"session", session_}};
}

void TensorBoardLogger::load_state_dict(const StateDict& state) {
  const int64_t format = state.at("format").to_int();
  const int64_t step = state.at("next_step").to_int();
  if (format != kFormat) {
    throw CheckpointError({},
                          "the state of TensorBoardLogger is of a newer format; update grapnel");
  }
  std::vector<std::pair<std::string, int64_t>> history;
  const StateValue* const files = state.find("files");  // not in states of earlier builds
  if (files != nullptr) {
    for (const StateValue& file : files->to_list()) {
      const StateList& pair = file.to_list();
      history.emplace_back(pair.at(0).to_string(), pair.at(1).to_int());
      if (history.back().second < 0) {
        throw CheckpointError({}, "the state of TensorBoardLogger has a file of negative size");
      }
    }
  }
  if (file_ != nullptr) write_what_is_possible(*file_);
  file_.reset();
  next_step_ = step;
  purge_step_ = step;
  history_ = std::move(history);
  history_is_known_ = files != nullptr;
  session_ = history_is_known_ ? state.at("session").to_string() : "unknown";
}

}  // namespace grapnel
