#include "plugin_logger.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>
#include <deque>
#include <exception>
#include <system_error>
#include <utility>

#include <grapnel/base/log.h>
#include <grapnel/base/utf8.h>
#include <grapnel/trainer.h>

#include "../describe_exception.h"
#include "../instance.h"

namespace grapnel::bridge {
namespace {

double seconds_since_1970() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// A failure with which the run continues: LoggerSet tells of it.
class SinkFailure final : public std::system_error {
 public:
  explicit SinkFailure(const std::string& text)
      : std::system_error(std::make_error_code(std::errc::io_error)), text_(text) {}
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  std::string text_;
};

// Hyperparameters without their nesting, with the memory that they point to.
class FlatParameters {
 public:
  explicit FlatParameters(const StateDict& parameters) {
    for (const auto& [name, value] : parameters) add(name, value);
    for (const Parameter& parameter : parameters_) pointers_.push_back(&parameter.abi);
  }
  const std::vector<const grapnel_hyperparameter*>& pointers() const { return pointers_; }

 private:
  struct Parameter {
    std::string name;
    std::string text;
    grapnel_hyperparameter abi{};
  };

  void add(const std::string& name, const StateValue& value) {
    if (value.is_dict()) {
      for (const auto& [key, child] : value.to_dict()) add(name + "." + key, child);
      return;
    }
    if (value.is_list()) {
      std::size_t index = 0;
      for (const StateValue& item : value.to_list()) add(fmt::format("{}.{}", name, index++), item);
      return;
    }
    Parameter& made = parameters_.emplace_back();
    made.name = to_utf8(name);
    made.abi.struct_size = sizeof made.abi;
    made.abi.name = to_abi(made.name);
    grapnel_value& to = made.abi.value;
    if (value.is_bool()) {
      to.tag = GRAPNEL_VALUE_BOOL;
      to.u.i64 = value.to_bool() ? 1 : 0;
    } else if (value.is_int()) {
      to.tag = GRAPNEL_VALUE_I64;
      to.u.i64 = value.to_int();
    } else if (value.is_double()) {
      to.tag = GRAPNEL_VALUE_F64;
      to.u.f64 = value.to_double();
    } else if (!value.is_null()) {
      made.text = value.is_string()
                      ? to_utf8(value.to_string())
                      : fmt::format("a tensor [{}]", fmt::join(value.to_tensor().sizes(), ", "));
      to.tag = GRAPNEL_VALUE_STRING;
      to.size = made.text.size();
      to.u.string = made.text.data();
    }
  }

  std::deque<Parameter> parameters_;
  std::vector<const grapnel_hyperparameter*> pointers_;
};

}  // namespace

template <class F>
void PluginLogger::attempt(const char* function, F&& call) {
  try {
    instance_->call_extension(function, trainer_, call);
  } catch (...) {
    throw SinkFailure(describe_exception(std::current_exception()));
  }
}

void PluginLogger::note_exception(const ExceptionEvent& event) {
  failure_ = event.type == "Interrupted" ? GRAPNEL_OUTCOME_INTERRUPTED : GRAPNEL_OUTCOME_FAILED;
  reason_ = to_utf8(event.message);
}

bool PluginLogger::is_evaluation() const {
  const Stage stage = trainer_.stage();
  return stage == Stage::validate || stage == Stage::test || stage == Stage::sanity_check;
}

void PluginLogger::start() {
  waiting_.clear();
  lost_ = 0;
  lost_hyper_parameters_.clear();
  failure_ = GRAPNEL_OUTCOME_FAILED;
  reason_.clear();
  if (instance_ == nullptr) return;
  const grapnel_metrics_sink& sink = *instance_->metrics_sink();
  if (sink.begin != nullptr) {
    instance_->call_extension("metrics_sink.begin", trainer_,
                              [&](grapnel_instance* instance) { return sink.begin(instance); });
  }
  begun_ = true;
}

void PluginLogger::log_metrics(const Metrics& metrics, std::int64_t step) {
  if (instance_ == nullptr || !begun_) return;
  for (const auto& [name, value] : metrics) {
    Record& record = waiting_.emplace_back();
    record.name = to_utf8(name);
    record.abi = {sizeof record.abi,
                  is_evaluation() ? static_cast<std::uint32_t>(GRAPNEL_RECORD_EVALUATION) : 0u,
                  {},
                  value,
                  step,
                  trainer_.current_epoch(),
                  seconds_since_1970()};
  }
  if (waiting_.size() >= kMostWaiting) save();
}

void PluginLogger::log_hyperparams(const StateDict& hyper_parameters) {
  if (instance_ == nullptr || !begun_ || !lost_hyper_parameters_.empty()) return;
  const grapnel_metrics_sink& sink = *instance_->metrics_sink();
  if (sink.hyperparameters == nullptr) return;
  const FlatParameters flat(hyper_parameters);
  if (flat.pointers().empty()) return;
  try {
    attempt("metrics_sink.hyperparameters", [&](grapnel_instance* instance) {
      return sink.hyperparameters(instance, flat.pointers().data(), flat.pointers().size());
    });
  } catch (const SinkFailure& failure) {  // loggers are given them again, a sink isn't
    lost_hyper_parameters_ = failure.what();
    log_warning("{}; the run continues without its hyperparameters there", failure.what());
  }
}

void PluginLogger::save() {
  if (instance_ == nullptr || !begun_ || waiting_.empty()) return;
  std::vector<Record> records = std::exchange(waiting_, {});
  std::vector<const grapnel_metric_record*> pointers;
  for (Record& record : records) {
    record.abi.name = to_abi(record.name);
    pointers.push_back(&record.abi);
  }
  const grapnel_metrics_sink& sink = *instance_->metrics_sink();
  try {
    attempt("metrics_sink.write", [&](grapnel_instance* instance) {
      return sink.write(instance, pointers.data(), pointers.size());
    });
  } catch (const SinkFailure& failure) {
    lost_ += records.size();
    loss_ = failure.what();
    throw;
  }
}

void PluginLogger::finalize(const std::string& status) {
  if (instance_ == nullptr || !begun_) return;
  try {
    save();
  } catch (const SinkFailure&) {  // told below
  }
  std::int32_t outcome = failure_;
  if (status == "success") {
    const bool stopped = trainer_.state().kind == RunKind::fit && trainer_.should_stop();
    outcome = stopped ? GRAPNEL_OUTCOME_STOPPED : GRAPNEL_OUTCOME_FINISHED;
    for (const Request& request : trainer_.granted_requests()) {
      if (stopped && request.kind == RequestKind::stop) reason_ = to_utf8(request.reason);
    }
  }
  end(outcome);
  if (lost_ > 0) throw SinkFailure(fmt::format("{} records were lost: {}", lost_, loss_));
  if (!lost_hyper_parameters_.empty()) {
    throw SinkFailure(
        fmt::format("the hyperparameters were not taken: {}", lost_hyper_parameters_));
  }
}

void PluginLogger::end(std::int32_t outcome) {
  begun_ = false;
  const grapnel_metrics_sink& sink = *instance_->metrics_sink();
  if (sink.end == nullptr) return;
  attempt("metrics_sink.end",
          [&](grapnel_instance* instance) { return sink.end(instance, outcome, to_abi(reason_)); });
}

void PluginLogger::give_up() noexcept {
  if (instance_ == nullptr || !begun_) return;
  try {
    reason_ = "the plugin is disabled";
    try {
      save();
    } catch (const SinkFailure&) {  // that it failed is why it is disabled, or told by its end
    }
    end(GRAPNEL_OUTCOME_FAILED);
  } catch (const std::exception& failure) {
    log_warning("the logs are incomplete: {}", failure.what());
  }
}

}  // namespace grapnel::bridge
