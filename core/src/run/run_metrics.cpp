// Logging: what log() does, and when metrics become visible to monitors, bars and loggers.
#include <fmt/format.h>

#include <cmath>

#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "metrics/log_rules.h"
#include "run/run.h"

namespace grapnel {

MetricStore* Run::active_store() {
  switch (state.stage) {
    case Stage::train:
      return &train_metrics;
    case Stage::sanity_check:
      return &val_metrics;
    case Stage::validate:
      return fitting() ? &val_metrics : &eval_metrics;
    case Stage::test:
      return &eval_metrics;
    default:
      return nullptr;
  }
}

void Run::log(std::string_view function, const std::string& name, const LogValue& value,
              const LogOptions& log_options) {
  if (log_directly != nullptr) return log_directly(name, value);
  if (options.barebones) {
    log_once("log-barebones", LogLevel::warning,
             "log('{}', ...) does nothing: the trainer runs with barebones=true, where logging is "
             "disabled because it costs speed",
             name);
    return;
  }
  MetricStore* store = active_store();
  if (store == nullptr) {
    throw ConfigError({},
                      fmt::format("log('{}', ...) is not possible in {}: nothing is logged while "
                                  "predicting or between runs",
                                  name, function.empty() ? "this place" : function));
  }
  const LogLevels levels = resolve_log_levels(function, name, log_options);
  if (log_options.add_dataloader_idx && name.find("/dataloader_idx_") != std::string::npos) {
    throw ConfigError({},
                      fmt::format("log('{}', ...): the name must not contain '/dataloader_idx_', "
                                  "which is added by itself; or set add_dataloader_idx=false",
                                  name));
  }
  DeviceScalar scalar = metric_scalar(name, value);

  // A function that logs for the first time in a new epoch starts its metrics afresh.
  if (last_function != function && first_iteration.value_or(true)) store->reset(function);

  int64_t batch_size = 1;
  if (log_options.batch_size.has_value()) {
    batch_size = *log_options.batch_size;
  } else if (levels.on_epoch && log_options.reduce == Reduce::mean && batch_size_of_batch > 0) {
    batch_size = batch_size_of_batch;
  }
  store->log({.function = function,
              .name = name,
              .value = std::move(scalar),
              .on_step = levels.on_step,
              .on_epoch = levels.on_epoch,
              .options = log_options,
              .batch_size = batch_size,
              .dataloader_idx = store->dataloader(),
              .global_step = global_step()});
  last_function = function;
  views_dirty = true;
}

void Run::on_batch_start(const Batch& batch, std::optional<int64_t> dataloader_idx) {
  first_iteration = !first_iteration.has_value();
  batch_size_of_batch = batch.empty() ? 0 : batch.batch_size();
  if (MetricStore* store = active_store()) store->set_dataloader(dataloader_idx);
}

void Run::on_batch_end() {
  views_dirty = true;
  batch_size_of_batch = 0;
}

void Run::epoch_end_reached() {
  flush();
  first_iteration.reset();
  views_dirty = true;
}

void Run::on_epoch_end() {
  views_dirty = true;
  flush();
  last_function = {};
}

void Run::flush() {
  if (!views_dirty) return;
  views_dirty = false;
  if (MetricStore* store = active_store())
    store->collect(first_iteration.has_value(), metric_views);
}

const MetricViews& Run::views() {
  flush();
  return metric_views;
}

bool Run::should_update_logs() const {
  if (options.log_every_n_steps == 0) return false;
  int64_t step = 0;
  switch (state.stage) {
    // + 1: it is asked before the batch's optimizer step is counted.
    case Stage::train:
      step = state.batches_that_stepped + 1;
      break;
    case Stage::sanity_check:
      step = state.val_batch.current.ready;
      break;
    case Stage::validate:
      step = fitting() ? state.val_batch.current.ready : state.eval_batch.current.ready;
      break;
    case Stage::test:
      step = state.eval_batch.current.ready;
      break;
    case Stage::predict:
      step = state.predict_batch.current.ready;
      break;
    case Stage::none:
      return true;
  }
  return step % options.log_every_n_steps == 0 || state.should_stop;
}

void Run::log_metrics(const MetricDict& metrics, std::optional<int64_t> step) {
  if (options.loggers.empty() || metrics.empty()) return;
  metric_views.log.update(metrics);

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
      if (!has_epoch) numbers.emplace_back("epoch", static_cast<double>(current_epoch()));
      step = state.batches_that_stepped;
    }
  }
  for (const auto& logger : options.loggers) {
    logger->log_metrics(numbers, *step);
    logger->save();
  }
}

void Run::update_train_step_metrics() {
  if (fit_should_accumulate() && module->automatic_optimization) return;
  if (options.loggers.empty()) return;
  if (!should_update_logs() && options.fast_dev_run == 0) return;
  MetricViews now;
  train_metrics.collect(first_iteration.has_value(), now);
  log_metrics(now.log);
}

void Run::update_train_epoch_metrics() {
  MetricViews now;
  train_metrics.collect(/*on_step=*/false, now);
  log_metrics(now.log);
  reset_results();
}

MetricDict Run::update_eval_epoch_metrics() {
  if (state.stage == Stage::sanity_check) return {};
  MetricViews now;
  if (MetricStore* store = active_store()) store->collect(/*on_step=*/false, now);
  metric_views.callback.update(now.callback);
  metric_views.log.update(now.log);
  metric_views.progress_bar.update(now.progress_bar);
  return now.log;
}

void Run::log_eval_end_metrics(const MetricDict& metrics) {
  if (state.stage != Stage::sanity_check) log_metrics(metrics);
}

void Run::reset_results() {
  flush();
  if (MetricStore* store = active_store()) store->reset();
  first_iteration.reset();
  last_function = {};
}

void Run::reset_metrics() {
  views_dirty = false;
  metric_views = {};
}

}  // namespace grapnel
