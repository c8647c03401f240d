#include "run/run_metrics.h"

#include <fmt/format.h>

#include <cmath>

#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "metrics/log_rules.h"

namespace grapnel {

void RunMetrics::begin_run() {
  train_.clear();
  validation_.clear();
  evaluation_.clear();
  batch_size_ = 0;  // of a batch that failed
  drop_kept();
}

void RunMetrics::reset() {
  reset_values();
  outdated_ = false;
  views_ = {};
}

MetricViews RunMetrics::hide() {
  flush();
  hidden_function_ = last_function_;
  return std::exchange(views_, {});
}

void RunMetrics::show(MetricViews hidden) {
  outdated_ = false;
  reset();
  views_ = std::move(hidden);
  last_function_ = hidden_function_;
}

void RunMetrics::reset_values() {
  flush();
  if (MetricStore* current = store()) current->reset();
  first_iteration_.reset();
  last_function_ = {};
}

MetricStore* RunMetrics::store() {
  switch (state_.stage) {
    case Stage::train:
      return &train_;
    case Stage::sanity_check:
      return &validation_;
    case Stage::validate:
      return state_.kind == RunKind::fit ? &validation_ : &evaluation_;
    case Stage::test:
      return &evaluation_;
    default:
      return nullptr;
  }
}

void RunMetrics::log(const LogCall& call) {
  const auto& [function, name, value, options, global_step] = call;
  if (options_.barebones) {
    log_once("log-barebones", LogLevel::warning,
             "log('{}', ...) does nothing: the trainer runs with barebones=true, where logging is "
             "disabled because it costs speed",
             name);
    return;
  }
  MetricStore* current = store();
  if (current == nullptr) {
    throw ConfigError({},
                      fmt::format("log('{}', ...) is not possible in {}: nothing is logged while "
                                  "predicting or between runs",
                                  name, function.empty() ? "this place" : function));
  }
  const LogLevels levels = resolve_log_levels(function, name, options);
  if (options.add_dataloader_idx && name.find("/dataloader_idx_") != std::string::npos) {
    throw ConfigError({},
                      fmt::format("log('{}', ...): the name must not contain '/dataloader_idx_', "
                                  "which is added by itself; or set add_dataloader_idx=false",
                                  name));
  }
  DeviceScalar scalar = metric_scalar(name, value);

  // A function that logs for the first time in a new epoch starts its metrics afresh.
  if (last_function_ != function && first_iteration_.value_or(true)) current->reset(function);

  int64_t batch_size = 1;
  if (options.batch_size.has_value()) {
    batch_size = *options.batch_size;
  } else if (levels.on_epoch && options.reduce == Reduce::mean && batch_size_ > 0) {
    batch_size = batch_size_;
  }
  current->log({.function = function,
                .name = name,
                .value = std::move(scalar),
                .on_step = levels.on_step,
                .on_epoch = levels.on_epoch,
                .options = options,
                .batch_size = batch_size,
                .dataloader_idx = current->dataloader(),
                .global_step = global_step});
  last_function_ = function;
  outdated_ = true;
}

// ---- What is visible

const MetricViews& RunMetrics::views() {
  flush();
  return views_;
}

void RunMetrics::flush() {
  if (!outdated_) return;
  outdated_ = false;
  if (MetricStore* current = store()) current->collect(first_iteration_.has_value(), views_);
}

void RunMetrics::set_callback_metric(std::string_view name, DeviceScalar value,
                                     int64_t global_step) {
  flush();
  views_.callback.set(name, std::move(value), global_step);
}

std::vector<std::string> RunMetrics::monitored_names() const {
  std::vector<std::string> names = validation_.monitored_names();
  const std::vector<std::string> of_training = train_.monitored_names();
  names.insert(names.end(), of_training.begin(), of_training.end());
  return names;
}

// ---- Loggers

bool RunMetrics::is_logging_step() const {
  if (options_.log_every_n_steps == 0) return false;
  int64_t step = 0;
  switch (state_.stage) {
    // + 1: it is asked before the batch's optimizer step is counted.
    case Stage::train:
      step = state_.batches_that_stepped + 1;
      break;
    case Stage::sanity_check:
      step = state_.val_batch.current.ready;
      break;
    case Stage::validate:
      step = state_.kind == RunKind::fit ? state_.val_batch.current.ready
                                         : state_.eval_batch.current.ready;
      break;
    case Stage::test:
      step = state_.eval_batch.current.ready;
      break;
    case Stage::predict:
      step = state_.predict_batch.current.ready;
      break;
    case Stage::none:
      return true;
  }
  return step % options_.log_every_n_steps == 0 || state_.should_stop;
}

void RunMetrics::send(const MetricDict& metrics, std::optional<int64_t> step) {
  if (loggers_.empty() || metrics.empty()) return;
  views_.log.update(metrics);

  Logger::Metrics numbers;
  bool has_epoch = false;
  for (const MetricDict::Entry& entry : metrics) {
    if (!step.has_value() && entry.name == "step") continue;
    has_epoch = has_epoch || entry.name == "epoch";
    numbers.emplace_back(entry.name, entry.value.number());
  }
  if (!step.has_value()) {
    if (const MetricDict::Entry* own = metrics.find("step")) {
      step = static_cast<int64_t>(own->value.number());
    } else {
      if (!has_epoch) {
        numbers.emplace_back("epoch", static_cast<double>(state_.epoch.current.completed));
      }
      step = state_.batches_that_stepped;
    }
  }
  loggers_.log_metrics(numbers, *step);
}

// ---- Exact resume

namespace {

StateValue metric_state(const MetricDict::Entry& entry) {
  return StateList{entry.value.number(), entry.global_step};
}

StateDict metric_state(const MetricDict& metrics) {
  StateDict state;
  for (const MetricDict::Entry& entry : metrics) state[entry.name] = metric_state(entry);
  return state;
}

void set_metric(MetricDict& metrics, const std::string& name, const StateValue& state) {
  const StateList& pair = state.to_list();
  metrics.set(name, pair.at(0).to_double(), pair.at(1).to_int());
}

void set_metric(MetricDict& metrics, const StateDict& state) {
  for (const auto& [name, value] : state) set_metric(metrics, name, value);
}

// NaN is the same as NaN.
bool is_same_value(const MetricDict::Entry& entry, const StateValue& state) {
  const StateList& pair = state.to_list();
  const double a = entry.value.number();
  const double b = pair.at(0).to_double();
  return entry.global_step == pair.at(1).to_int() && (a == b || (std::isnan(a) && std::isnan(b)));
}

}  // namespace

void RunMetrics::save_state(StateDict& exact, bool without_batch) {
  exact["metrics"] = train_.state_dict(without_batch);
  if (kept_.has_value()) exact["metrics_of_cut_epoch"] = *kept_;
  if (kept_visible_.has_value()) exact["visible_in_cut_epoch"] = *kept_visible_;
  if (!last_validation_.empty()) exact["last_validation"] = metric_state(last_validation_);
  exact["logged_last"] = std::string(last_function_);
  exact["visible_metrics"] = visible_state();
}

StateDict RunMetrics::visible_state() {
  return metric_state(views().callback);
}

void RunMetrics::load_state(const StateDict& exact) {
  train_.load_state_dict(exact.at("metrics").to_dict());
  const StateValue* kept = exact.find("metrics_of_cut_epoch");
  if (kept != nullptr) kept_ = snapshot(kept->to_dict());
  const StateValue* kept_visible = exact.find("visible_in_cut_epoch");
  if (kept_visible != nullptr) kept_visible_ = kept_visible->to_dict();
  const StateValue* validation = exact.find("last_validation");
  if (validation != nullptr) set_metric(last_validation_, validation->to_dict());
  if (const StateValue* function = exact.find("logged_last")) {
    restored_function_ = function->to_string();
    last_function_ = restored_function_;
  }
  set_metric(views_.callback, exact.at("visible_metrics").to_dict());
}

void RunMetrics::restore_kept() {
  if (kept_.has_value()) train_.load_state_dict(*kept_);
  if (kept_visible_.has_value()) {
    views_.callback.clear();
    set_metric(views_.callback, *kept_visible_);
  }
  drop_kept();
}

void RunMetrics::drop_kept() {
  kept_.reset();
  kept_visible_.reset();
  last_validation_.clear();
}

void RunMetrics::lay_validation_aside() {
  if (!kept_visible_.has_value()) return;
  const MetricDict now = views().callback;
  for (const MetricDict::Entry& entry : now) {
    const StateValue* before = kept_visible_->find(entry.name);
    if (before != nullptr && is_same_value(entry, *before)) continue;
    last_validation_.set(entry.name, entry.value, entry.global_step);
    if (before != nullptr) set_metric(views_.callback, entry.name, *before);
  }
}

void RunMetrics::show_validation() {
  flush();
  for (const MetricDict::Entry& entry : last_validation_) {
    const MetricDict::Entry* now = views_.callback.find(entry.name);
    const StateValue* before =
        kept_visible_.has_value() ? kept_visible_->find(entry.name) : nullptr;
    if (now == nullptr || before == nullptr || !is_same_value(*now, *before)) continue;
    views_.callback.set(entry.name, entry.value, entry.global_step);
  }
}

void RunMetrics::undo_validation() {
  for (const MetricDict::Entry& entry : last_validation_) {
    const MetricDict::Entry* now = views_.callback.find(entry.name);
    if (now == nullptr || !is_same_value(*now, metric_state(entry))) continue;
    const StateValue* before =
        kept_visible_.has_value() ? kept_visible_->find(entry.name) : nullptr;
    if (before != nullptr) {
      set_metric(views_.callback, entry.name, *before);
    } else {
      views_.callback.erase(entry.name);
    }
  }
  drop_kept();
}

// ---- An epoch

void EpochMetrics::begin_batch(const Batch& batch, std::optional<int64_t> dataloader_idx) {
  metrics_.first_iteration_ = !metrics_.first_iteration_.has_value();
  metrics_.batch_size_ = batch.empty() ? 0 : batch.batch_size();
  if (MetricStore* current = metrics_.store()) current->set_dataloader(dataloader_idx);
}

void EpochMetrics::end_batch() {
  metrics_.outdated_ = true;
  metrics_.batch_size_ = 0;
}

void EpochMetrics::send_step(std::optional<int64_t> step) {
  if (metrics_.loggers_.empty()) return;
  MetricViews now;
  metrics_.store()->collect(metrics_.first_iteration_.has_value(), now);
  metrics_.send(now.log, step);
}

MetricDict EpochMetrics::end_loader() {
  end_batches();
  return at_end();
}

void EpochMetrics::end_batches() {
  metrics_.flush();
  metrics_.first_iteration_.reset();
  metrics_.outdated_ = true;
}

void EpochMetrics::end_all_loaders() {
  end_batches();
  metrics_.store()->set_dataloader({});
}

void EpochMetrics::end_hook() {
  metrics_.outdated_ = true;
  metrics_.flush();
  metrics_.last_function_ = {};
}

MetricDict EpochMetrics::at_end() {
  if (metrics_.state_.stage == Stage::sanity_check) return {};
  MetricViews now;
  metrics_.store()->collect(/*on_step=*/false, now);
  metrics_.views_.callback.update(now.callback);
  metrics_.views_.log.update(now.log);
  metrics_.views_.progress_bar.update(now.progress_bar);
  return std::move(now.log);
}

void EpochMetrics::send(const MetricDict& metrics) {
  if (metrics_.state_.stage != Stage::sanity_check) metrics_.send(metrics);
}

void EpochMetrics::send_reduced() {
  MetricViews now;
  metrics_.store()->collect(/*on_step=*/false, now);
  metrics_.send(now.log);
  reset();
}

}  // namespace grapnel
