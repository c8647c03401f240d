// FitLoop's inside: the batches of one epoch, and the validation between them.
#include <algorithm>
#include <utility>

#include "grapnel/base/log.h"
#include "run/loops.h"
#include "run/optimization.h"
#include "run/parts.h"
#include "run/run.h"
#include "values/rng.h"

namespace grapnel {

void FitLoop::run_batches(EpochMetrics& metrics) {
  RunState& state = run_.state;
  if (std::exchange(resumes_, false)) resume_batches(metrics);
  // What a resumed epoch has consumed is passed over.
  fetcher_ = Fetcher(set_.loaders, set_.limits, state.epoch.current.processed, "train",
                     state.batch.current.ready);
  while (!epoch_done()) train_next_batch(metrics);
}

void FitLoop::reset_epoch() {
  RunState& state = run_.state;
  state.batch.reset_on_run();
  state.is_last_batch = false;
  state.window_start = -1;
  gradients_of_batch_ = false;
  former_unit_.reset();
  measured_size_ = {};
  kept_size_.reset();
  size_before_.reset();
  continues_at_ = -1;
  state.scheduler.reset_on_run();
  state.optimizer_step.reset_on_run();
  state.zero_grad.reset_on_run();
  state.val_batch.total = {};
  schedulers_.begin_epoch();
  validations_.begin_epoch();
}

// ---- The batch at which a checkpoint was written

void FitLoop::finish_batch_of_checkpoint(EpochMetrics& metrics) {
  RunState& state = run_.state;
  if (phase() <= FitPhase::in_batch) {
    repeat_unfinished();
    // Known again with the next batch; the last one may have to be done again.
    state.is_last_batch = false;
    point_ = {.phase = FitPhase::between_batches,
              .end_epoch = point_.end_epoch,
              .before_stop = point_.before_stop};
    metrics.resume();
    return;
  }
  const int64_t batch_idx = state.batch.current.ready - 1;
  const bool needs_batch = phase() <= FitPhase::batch_end && !point_.data_ended &&
                           run_.hooks.hook_has_rest(Hook::on_train_batch_end);
  Batch batch = needs_batch ? batch_again(batch_idx) : Batch();
  if (batch_idx > 0 || !needs_batch) metrics.resume();
  if (phase() <= FitPhase::batch_end) {
    metrics.batch(batch, {}, [&] { finish_batch(batch, batch_idx); });
  }
  metrics.resume();
  close_batch(metrics);
}

// For the rest of its hooks. The random numbers of its transfer have been drawn before.
Batch FitLoop::batch_again(int64_t batch_idx) {
  const GeneratorScope generators;
  // Of other data, the batch with the last of the samples that were trained.
  const int64_t index =
      former_unit_.has_value()
          ? std::max<int64_t>(0, UnitChange(*former_unit_, unit_of_loader()).convert(batch_idx))
          : batch_idx;
  Fetcher fetcher(set_.loaders, set_.limits, run_.state.epoch.current.processed, "train", index);
  std::optional<Fetcher::Item> item = fetcher.next();
  if (!item.has_value()) {
    log_warning("the training data no longer have batch {}, at which the checkpoint was written",
                batch_idx);
    return {};
  }
  return item->batch.empty() ? Batch() : run_.transfer(std::move(item->batch), 0);
}

// ---- Where the epoch ends

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
  return reached_steps() || num_ready_batches_reached();
}

bool FitLoop::epoch_done() {
  const RunState& state = run_.state;
  if (training_done() || point_.end_epoch || no_data_) return true;
  if (!state.should_stop) return false;
  if (can_stop_early()) return true;
  log_once(
      "fit-cannot-stop-yet", LogLevel::info,
      "a stop was requested, but min_epochs={} or min_steps={} is not reached yet; the training "
      "continues",
      state.min_epochs, state.min_steps);
  return false;
}

// ---- One batch

// What begins here is done again by a run that is resumed before it has ended.
void FitLoop::mark_beginning(FitPhase of) {
  marked_ = of;
  part_ = begin_part();
  beginning_.take();
  run_.loggers.hold();
  if (of == FitPhase::in_batch) {
    run_.metrics.mark_batch();
  } else {
    val_batch_of_beginning_ = run_.state.val_batch;
  }
}

void FitLoop::train_next_batch(EpochMetrics& metrics) {
  RunState& state = run_.state;
  mark_beginning(FitPhase::in_batch);
  std::optional<Fetcher::Item> item = [&] {
    const ProfilerSpan span(run_.profile.profiler(), "data", "next train batch");
    const PhaseClock::Span phase(run_.phases, Phase::data_wait);
    return fetcher_.next();
  }();
  if (!item.has_value()) {
    run_.loggers.release();
    return end_data(metrics);
  }
  run_.checkpointing.let_go();
  note_size(*item);
  const int64_t batch_idx = state.batch.current.ready;
  Batch batch = std::move(item->batch);
  if (!batch.empty()) {
    const PhaseClock::Span phase(run_.phases, Phase::transfer);
    batch = run_.transfer(std::move(batch), 0);
  }
  state.is_last_batch = item->is_last;
  state.batch.ready();
  point_.before_stop = false;
  move_to(FitPhase::in_batch);
  metrics.batch(batch, {}, [&] {
    step_on(batch, batch_idx);
    finish_step();
    finish_batch(batch, batch_idx);
  });
  if (!batch.empty()) run_.phases.count_batch(batch.batch_size());
  close_batch(metrics);
}

// The data ended before the batch that was to be the last one. What belongs to the epoch's end comes
// now: the step of an accumulation window that is not full, schedulers, the validation.
void FitLoop::end_data(EpochMetrics& metrics) {
  RunState& state = run_.state;
  if (state.batch.current.ready == 0) {
    no_data_ = true;
    log_warning(
        "the training data gave no batch in epoch {}, so the fit ends after it; a stream must begin "
        "again in each epoch, when start() is called",
        run_.current_epoch());
    return;
  }
  // With a length the fetcher has told.
  if (state.batch.current.ready == std::exchange(continues_at_, -1) &&
      state.num_training_batches == kUnlimited) {
    log_warning(
        "the training data have no more batches than the {} of epoch {} that were done when the "
        "checkpoint was written: the epoch ends here, with its validation and schedulers",
        state.batch.current.ready, run_.current_epoch());
  }
  const int64_t batch_idx = state.batch.current.ready - 1;
  state.is_last_batch = true;
  point_.data_ended = true;
  point_.late_step = run_.module->automatic_optimization && state.window_start >= 0;
  Batch none;
  if (point_.late_step) {
    step_without_batch(run_, batch_idx);
    finish_step();
  } else {
    move_to(FitPhase::epoch_schedulers);
  }
  finish_batch(none, batch_idx);
  close_batch(metrics);
}

// on_train_batch_start and the step, unless one is not to be made.
void FitLoop::step_on(Batch& batch, int64_t batch_idx) {
  RunState& state = run_.state;
  if (batch.empty()) {
    log_once("fit-empty-batch", LogLevel::warning,
             "the training data gave an empty batch; no step is made on it");
    step_without_batch(run_, batch_idx);
    return;
  }
  const int64_t steps_before = run_.global_step();
  run_.hooks.position.step = steps_before + steps_of_next_batch();
  TrainBatchStart start{run_.event(), batch, batch_idx};
  run_.hooks.on_train_batch_start(start);
  if (run_.requests.take(RequestKind::end_epoch)) {
    state.is_last_batch = true;
    point_.batch_left_out = true;
    return;
  }
  state.batch.started();
  if (run_.requests.take(RequestKind::skip_batch)) {
    step_without_batch(run_, batch_idx);
  } else if (run_.module->automatic_optimization) {
    output_ = optimize_automatically(run_, batch, batch_idx);
  } else {
    const int64_t step_of_batch = run_.hooks.position.step;
    output_ = optimize_manually(run_, batch, batch_idx);
    run_.hooks.position.step = step_of_batch;
    if (run_.global_step() > steps_before) last_steps_ = run_.global_step() - steps_before;
  }
}

// Manual optimization may make several: it is taken to make as many as in the batch before, at first
// one for each optimizer.
int64_t FitLoop::steps_of_next_batch() const {
  if (run_.module->automatic_optimization) return 1;
  if (last_steps_ > 0) return last_steps_;
  return std::max<int64_t>(1, static_cast<int64_t>(run_.optimizers.size()));
}

void FitLoop::enter_after_step(const StepOutput& output) {
  output_ = output;
  run_.loggers.release();
  move_to(FitPhase::after_step);
}

void FitLoop::finish_step() {
  if (!point_.data_ended) run_.state.batch.processed();
  gradients_of_batch_ = false;
  run_.loggers.release();
  // They are about this batch alone.
  run_.requests.drop({RequestKind::skip_batch, RequestKind::skip_step});
  move_to(FitPhase::step_schedulers);
}

// From the optimizer's step to on_train_batch_end.
void FitLoop::finish_batch(Batch& batch, int64_t batch_idx) {
  RunState& state = run_.state;
  if (phase() == FitPhase::after_step) {  // only after a resume
    OptimizerEvent event{run_.event(), *run_.optimizers[0], 0};
    run_.hooks.on_after_optimizer_step(event);
    finish_step();
  }
  if (phase() == FitPhase::step_schedulers) {
    if (!should_accumulate()) {
      schedulers_.step(Interval::step, /*with_metric=*/false, state.batch.current.ready);
    }
    move_to(FitPhase::epoch_schedulers);
  }
  if (phase() == FitPhase::epoch_schedulers) {
    if (num_ready_batches_reached()) step_epoch_schedulers();
    if (point_.batch_left_out) {
      move_to(take_evaluation() ? FitPhase::validation : FitPhase::batch_closing);
    } else if (point_.data_ended) {
      move_to(point_.late_step ? FitPhase::step_metrics : FitPhase::requests);
    } else {
      move_to(FitPhase::batch_end);
    }
  }
  if (phase() == FitPhase::batch_end) {
    TrainBatchEnd end{run_.event(), output_, batch, batch_idx};
    run_.hooks.on_train_batch_end(end);
    state.batch.completed();
    move_to(FitPhase::step_metrics);
  }
  output_ = {};
}

// Those that look at no metric.
void FitLoop::step_epoch_schedulers() {
  schedulers_.step(Interval::epoch, /*with_metric=*/false, run_.current_epoch() + 1);
}

// ---- After a batch

// From on_train_batch_end to the next batch.
void FitLoop::close_batch(EpochMetrics& metrics) {
  RunState& state = run_.state;
  if (phase() == FitPhase::step_metrics) {
    move_to(FitPhase::requests);
    send_step_metrics(metrics);
  }
  if (phase() == FitPhase::requests) decide_after_batch();
  if (phase() == FitPhase::validation) {
    validate();
    leave_validation();
  }
  if (phase() == FitPhase::validation_end) {  // only after a resume
    finish_validation();
    leave_validation();
  }
  if (phase() == FitPhase::after_validation) {
    move_to(FitPhase::batch_closing);
    take_end_epoch();
    save_if_requested();
  }
  if (phase() == FitPhase::batch_closing) {
    const bool has_step = !point_.batch_left_out && (!point_.data_ended || point_.late_step);
    if (has_step && !should_accumulate()) {
      schedulers_.step(Interval::step, /*with_metric=*/true, state.batch.current.ready);
      ++state.batches_that_stepped;
    }
    move_to(point_.end_epoch && !num_ready_batches_reached() ? FitPhase::ended_by_request
                                                             : FitPhase::between_batches);
  }
  if (phase() == FitPhase::ended_by_request) {
    // As when a batch's start ends the epoch: what moves on once an epoch does so after this batch.
    state.is_last_batch = true;
    step_epoch_schedulers();
    move_to(FitPhase::between_batches);
  }
  if (state.should_stop) run_.loggers.save();
  run_.checkpointing.poll();
  if (!training_done()) run_.requests.throw_if_interrupted();
}

void FitLoop::send_step_metrics(EpochMetrics& metrics) {
  if (should_accumulate() && run_.module->automatic_optimization) return;
  if (!run_.metrics.is_logging_step() && run_.options.fast_dev_run == 0) return;
  metrics.send_step();
}

void FitLoop::decide_after_batch() {
  const RunState& state = run_.state;
  take_end_epoch();
  const bool requested = run_.requests.any() && take_evaluation();
  if (!point_.data_ended) validations_.count_batch();
  const bool validates = validates_this_epoch();
  const bool due = (validates && validations_.take_due()) || requested;
  point_.before_stop = !due && validates && state.should_stop && can_stop_early();
  if (point_.before_stop) note_cut();
  move_to(due || point_.before_stop ? FitPhase::validation : FitPhase::batch_closing);
  save_if_requested();
}

void FitLoop::take_end_epoch() {
  if (run_.requests.take(RequestKind::end_epoch)) point_.end_epoch = true;
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

void FitLoop::validate() {
  const PhaseClock::Span phase(run_.phases, Phase::validation);
  RunState& state = run_.state;
  mark_beginning(FitPhase::validation);
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
}

void FitLoop::enter_validation_end() {
  move_to(FitPhase::validation_end);
}

// The rest of on_validation_end, in which the checkpoint was written.
void FitLoop::finish_validation() {
  run_.state.stage = Stage::validate;
  Event event = run_.event();
  run_.hooks.on_validation_end(event);
  run_.state.stage = Stage::train;
  note_validation(run_.clock->now());
}

// One that comes only because the run ends has drawn no random numbers, and nothing that decides about
// the training sees its metrics until the epoch is over.
void FitLoop::leave_validation() {
  if (point_.before_stop) {
    set_generator_states(generators_);
    run_.metrics.lay_validation_aside();
  }
  move_to(FitPhase::after_validation);
}

}  // namespace grapnel
