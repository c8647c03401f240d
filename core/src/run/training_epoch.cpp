// FitLoop's inside: the batches of one epoch, and the validation between them.
#include <fmt/format.h>

#include <cmath>

#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "grapnel/base/text.h"
#include "run/loops.h"
#include "run/optimization.h"
#include "run/run.h"

namespace grapnel {

void FitLoop::run_epoch(EpochMetrics& metrics) {
  const bool resumes = resume_ != Resume::none;
  if (!resumes) reset_epoch();
  end_epoch_requested_ = false;
  if (resumes) resume_epoch(metrics);
  const RunState& state = run_.state;
  // What a resumed epoch has consumed is passed over.
  fetcher_ =
      Fetcher(set_.loaders, set_.limits, state.epoch.current.processed, state.batch.current.ready);
  while (!epoch_done()) {
    if (!advance(metrics)) {
      if (take_evaluation()) validate();
      break;
    }
    on_advance_end();
  }
}

void FitLoop::reset_epoch() {
  RunState& state = run_.state;
  state.batch.reset_on_run();
  state.is_last_batch = false;
  state.window_start = -1;
  gradients_of_batch_ = false;
  state.scheduler.reset_on_run();
  state.optimizer_step.reset_on_run();
  state.zero_grad.reset_on_run();
  state.val_batch.total = {};
}

// Finishes the batch at which the checkpoint was written.
void FitLoop::resume_epoch(EpochMetrics& metrics) {
  RunState& state = run_.state;
  const Resume resume = resume_;
  resume_ = Resume::none;
  metrics.resume();
  if (resume == Resume::batch_end) state.batch.completed();
  state.batch.reset_on_restart();
  state.scheduler.reset_on_restart();
  state.optimizer_step.reset_on_restart();
  state.zero_grad.reset_on_restart();
  if (resume == Resume::mid_epoch) {
    state.is_last_batch =
        false;  // known again with the next batch; the last one may have to be redone
    return;
  }
  if (resume == Resume::batch_end) send_step_metrics(metrics);
  skip_next_val_ = resume == Resume::after_validation;
  on_advance_end();
}

bool FitLoop::accumulated_batches_reached() const {
  return run_.state.batch.current.ready % run_.state.accumulate_grad_batches == 0;
}

bool FitLoop::num_ready_batches_reached() const {
  const RunState& state = run_.state;
  return state.batch.current.ready == state.num_training_batches || state.is_last_batch;
}

bool FitLoop::should_accumulate() const {
  return !accumulated_batches_reached() && !num_ready_batches_reached();
}

bool FitLoop::training_done() const {
  const RunState& state = run_.state;
  const bool steps = state.max_steps != -1 && run_.global_step() >= state.max_steps;
  return steps || num_ready_batches_reached();
}

bool FitLoop::epoch_done() {
  const RunState& state = run_.state;
  if (training_done() || end_epoch_requested_) return true;
  if (!state.should_stop) return false;
  if (can_stop_early()) return true;
  log_once(
      "fit-cannot-stop-yet", LogLevel::info,
      "a stop was requested, but min_epochs={} or min_steps={} is not reached yet; the training "
      "continues",
      state.min_epochs, state.min_steps);
  return false;
}

bool FitLoop::advance(EpochMetrics& metrics) {
  RunState& state = run_.state;
  std::optional<Fetcher::Item> item = [&] {
    const ProfilerSpan span(run_.profile.profiler(), "data", "next train batch");
    return fetcher_.next();
  }();
  if (!item.has_value()) return false;
  const int64_t batch_idx = state.batch.current.ready;
  state.is_last_batch = item->is_last;
  Batch batch = std::move(item->batch);
  if (!batch.empty()) batch = run_.transfer(std::move(batch), 0);
  state.batch.ready();
  bool ended_epoch = false;
  metrics.batch(batch, {}, [&] { ended_epoch = !train_batch(batch, batch_idx); });
  if (ended_epoch) return false;
  state.batch.completed();
  send_step_metrics(metrics);
  return true;
}

// One batch with its hooks; false: on_train_batch_start ended the epoch.
bool FitLoop::train_batch(Batch& batch, int64_t batch_idx) {
  StepOutput output;
  const bool ends_epoch = !step_on(batch, batch_idx, output);
  run_.state.batch.processed();
  gradients_of_batch_ = false;
  // They are about this batch alone.
  run_.requests.drop({RequestKind::skip_batch, RequestKind::skip_step});

  update_schedulers(/*step_interval=*/true, /*plateau=*/false);
  if (num_ready_batches_reached()) update_schedulers(/*step_interval=*/false, /*plateau=*/false);
  if (ends_epoch) return false;

  TrainBatchEnd end{run_.event(), output, batch, batch_idx};
  run_.hooks.on_train_batch_end(end);
  return true;
}

// on_train_batch_start and the step, unless one is not to be made; false: the hook ended the epoch.
bool FitLoop::step_on(Batch& batch, int64_t batch_idx, StepOutput& output) {
  RunState& state = run_.state;
  if (batch.empty()) {
    log_once("fit-empty-batch", LogLevel::warning,
             "the training data gave an empty batch; no step is made on it");
    step_without_batch(run_, batch_idx);
    return true;
  }
  run_.hooks.position.step = run_.global_step() + 1;
  TrainBatchStart start{run_.event(), batch, batch_idx};
  run_.hooks.on_train_batch_start(start);
  if (run_.requests.take(RequestKind::end_epoch)) {
    state.is_last_batch = true;
    return false;
  }
  state.batch.started();
  if (run_.requests.take(RequestKind::skip_batch)) {
    step_without_batch(run_, batch_idx);
  } else if (run_.module->automatic_optimization) {
    output = optimize_automatically(run_, batch, batch_idx);
  } else {
    output = optimize_manually(run_, batch, batch_idx);
  }
  return true;
}

void FitLoop::send_step_metrics(EpochMetrics& metrics) {
  if (should_accumulate() && run_.module->automatic_optimization) return;
  if (!run_.metrics.is_logging_step() && run_.options.fast_dev_run == 0) return;
  metrics.send_step();
}

FitLoop::BatchDecision FitLoop::decide_after_batch() {
  BatchDecision decision;
  if (!run_.requests.any()) return decision;
  decision.end_epoch = run_.requests.take(RequestKind::end_epoch);
  decision.evaluate = take_evaluation();
  save_if_requested();
  return decision;
}

// Grants requests to evaluate, where there is something to evaluate.
bool FitLoop::take_evaluation() {
  if (run_.trainer.validation_enabled()) return run_.requests.take(RequestKind::evaluate);
  if (run_.requests.asked(RequestKind::evaluate)) {
    log_once("request-no-validation", LogLevel::warning,
             "a request to evaluate is not granted: this fit has no validation data, no "
             "validation_step, or limit_val_batches=0");
    run_.requests.drop({RequestKind::evaluate});
  }
  return false;
}

void FitLoop::on_advance_end() {
  RunState& state = run_.state;
  const BatchDecision decision = decide_after_batch();
  bool due = validation_is_due();
  if (skip_next_val_) {
    due = false;
    skip_next_val_ = false;
  }
  if (due || decision.evaluate) validate();
  end_epoch_requested_ = end_epoch_requested_ || decision.end_epoch;

  update_schedulers(/*step_interval=*/true, /*plateau=*/true);
  if (!should_accumulate()) ++state.batches_that_stepped;
  if (end_epoch_requested_ && !num_ready_batches_reached()) {
    // As when a batch's start ends the epoch: what moves on once an epoch does so after this batch.
    state.is_last_batch = true;
    update_schedulers(/*step_interval=*/false, /*plateau=*/false);
  }
  if (state.should_stop) run_.loggers.save();
  run_.checkpointing.poll();
  if (!training_done()) run_.requests.throw_if_interrupted();
}

void FitLoop::validate() {
  RunState& state = run_.state;
  run_.metrics.flush();
  state.stage = Stage::validate;
  if (!should_accumulate()) {
    run_.in_module("on_validation_model_zero_grad",
                   [&] { run_.module->on_validation_model_zero_grad(); });
  }
  run_.loops->validation.run();
  if (share_position(set_.loaders, run_.loops->validation.loaders().loaders)) {
    fetcher_.lose_position();
  }
  state.stage = Stage::train;
  if (run_.requests.any()) end_epoch_requested_ = decide_after_batch().end_epoch;
}

bool FitLoop::validation_is_due() {
  if (!validates_this_epoch()) return false;
  const RunState& state = run_.state;
  const bool by_time = run_.limits.val_seconds.has_value();
  const bool at_end_of_data = !by_time && !val_check_batch_.has_value();
  if (state.is_last_batch && at_end_of_data) return true;
  // One more validation before an early stop.
  if (state.should_stop && can_stop_early()) return true;
  if (by_time) return run_.clock->now() - last_validation_ >= *run_.limits.val_seconds;

  const int64_t batch_idx = state.batch.current.ready - 1;
  if (at_end_of_data) return false;
  const bool over_epochs = !run_.limits.check_val_every_n_epoch.has_value();
  const int64_t position = over_epochs ? state.batch.total.ready - 1 : batch_idx;
  return (position + 1) % *val_check_batch_ == 0;
}

void FitLoop::update_schedulers(bool step_interval, bool plateau) {
  if (step_interval && should_accumulate()) return;
  if (run_.schedulers.empty() || !run_.module->automatic_optimization) return;
  RunState& state = run_.state;
  const int64_t position =
      (step_interval ? state.batch.current.ready - 1 : run_.current_epoch()) + 1;
  for (const SchedulerConfig& config : run_.schedulers) {
    if (config.scheduler->wants_metric() != plateau) continue;
    if ((config.interval == Interval::step) != step_interval) continue;
    if (position % config.frequency != 0) continue;
    std::optional<double> metric;
    if (plateau) {
      const MetricDict& available = run_.metrics.views().callback;
      if (const MetricDict::Entry* entry = available.find(config.monitor)) {
        metric = entry->value.number();
      } else if (config.strict) {
        const auto names = available.names();
        const auto near = nearest(config.monitor, names);
        throw MetricError(
            fmt::format("{} monitors '{}', which nothing has logged{}; available: {}. Set the "
                        "scheduler's monitor, or strict=false to skip its steps until then",
                        config.scheduler->type_name(), config.monitor,
                        near.has_value() ? fmt::format(" (did you mean '{}'?)", *near) : "",
                        names.empty() ? "nothing" : join(names, ", ")),
            config.monitor, names);
      } else {
        log_warning(
            "{} monitors '{}', which nothing has logged; its step is skipped "
            "(strict=false)",
            config.scheduler->type_name(), config.monitor);
        continue;
      }
    }
    state.scheduler.ready();
    run_.in_module("lr_scheduler_step",
                   [&] { run_.module->lr_scheduler_step(*config.scheduler, metric); });
    state.scheduler.completed();
  }
}

}  // namespace grapnel
