#include "run/fit_loop.h"

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <limits>

#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "grapnel/callbacks/checkpoint.h"
#include "grapnel/data/combined_loader.h"
#include "run/loops.h"
#include "run/run.h"

namespace grapnel {

void FitLoop::begin() {
  RunState& state = run_.state;
  point_ = {};
  resumes_ = false;
  no_data_ = false;
  continues_cut_epoch_ = stop_is_put_off_ = false;
  marked_.reset();
  gradients_of_batch_ = false;
  output_ = {};
  step_of_checkpoint_.reset();
  former_unit_.reset();
  measured_size_ = {};
  kept_size_.reset();
  size_before_.reset();
  continues_at_ = -1;
  schedulers_.begin_fit();
  validations_.begin_fit();
  run_.hooks.forget_unfinished_hook();
  // An epoch that was cut off starts again; one that had reached its end hooks counts as finished.
  for (Counter* epoch : {&state.epoch.total, &state.epoch.current}) {
    epoch->ready = epoch->started = epoch->completed = epoch->processed;
  }
}

FitPhase FitLoop::phase() const {
  return point_.phase;
}

void FitLoop::move_to(FitPhase next) {
  point_.phase = next;
}

bool FitLoop::is_inside_epoch() const {
  return phase() > FitPhase::between_epochs && phase() < FitPhase::epoch_end;
}

bool FitLoop::resumes_inside_epoch() const {
  return resumes_ && (is_inside_epoch() || point_.epoch_cut_short);
}

namespace {

// Until the training ends, however it does.
struct Fitting {
  explicit Fitting(CallPosition& where) : position(where) { position.fitting = true; }
  ~Fitting() { position.fitting = false; }
  Fitting(const Fitting&) = delete;
  Fitting& operator=(const Fitting&) = delete;
  CallPosition& position;
};

}  // namespace

// As far as the ends are known now: a schedule of accumulation may still change the steps.
CallPosition FitLoop::call_position() const {
  const RunState& state = run_.state;
  CallPosition position{.epoch = run_.current_epoch(), .step = run_.global_step()};
  if (state.max_epochs >= 0) position.epochs = state.max_epochs;
  const int64_t batches = state.num_training_batches;
  if (position.epochs && batches >= 0) {
    const int64_t window = state.accumulate_grad_batches;
    position.steps = *position.epochs * ((batches + window - 1) / window) * steps_of_next_batch();
  }
  if (state.max_steps >= 0) {
    position.steps = std::min(position.steps.value_or(state.max_steps), state.max_steps);
  }
  return position;
}

void FitLoop::run() {
  const at::AutoGradMode grad(true);
  const int64_t last_reload = set_.last_reload_epoch;
  setup_data();
  if (run_.limits.train.is_zero()) return;
  if (!resumes_) point_ = {};  // a search runs the loop several times
  reopen_cut_epoch();
  leave_out_last_validation();
  finish_epoch_of_checkpoint();
  if (phase() >= FitPhase::train_end) move_to(FitPhase::between_epochs);
  // Within an epoch there is something left also when a limit is reached: to end that epoch.
  if ((!is_inside_epoch() || reached_epochs()) && done()) {
    if (is_inside_epoch()) return;
    if (resumes_) {
      set_.last_reload_epoch = last_reload;  // the next epoch is none of this run's
      tell_checkpoints_of_end();
    }
    move_to(FitPhase::complete);
    return;
  }
  resumes_ = resumes_ && is_inside_epoch();

  // Kept as processed, so that a resumed run counts the epoch it continues.
  if (run_.state.max_steps == -1) {
    run_.state.epoch.current.completed = run_.state.epoch.current.processed;
  }
  if (validates_this_epoch() && !run_.loops->validation.loaders().loaded) {
    // For the progress bar, which shows how many batches there will be.
    run_.state.stage = Stage::validate;
    run_.loops->validation.setup_data_ahead();
    run_.state.stage = Stage::train;
  }
  place_filters();
  const Fitting fitting{run_.hooks.position};
  Event event = run_.event();
  run_.hooks.on_train_start(event);
  run_.monitor_check.before_training();

  while (is_inside_epoch() || !done()) run_epoch();
  move_to(FitPhase::train_end);
  run_.hooks.on_train_end(event);
  move_to(FitPhase::complete);
}

// The epoch that the checkpoint's run ended before its data did is continued, if there is more to do
// than that run had.
void FitLoop::reopen_cut_epoch() {
  RunState& state = run_.state;
  if (!resumes_ || !point_.epoch_cut_short) return;
  const RunState closed = state;
  const FitPoint closed_point = point_;
  const bool counted = phase() < FitPhase::epoch_end || phase() > FitPhase::epoch_metrics;
  for (Counter* epoch : {&state.epoch.total, &state.epoch.current}) {
    --epoch->processed;
    if (counted) --epoch->completed;
  }
  point_ = {.phase = FitPhase::between_batches};
  if (reached_end()) {
    state = closed;
    point_ = closed_point;
    return;
  }
  run_.hooks.forget_unfinished_hook();
  run_.metrics.restore_kept();
  set_generator_states(generators_);
  continues_cut_epoch_ = true;
  log_info("epoch {} is continued: the run of the checkpoint ended after {} of its batches",
           run_.current_epoch(), state.batch.current.ready);
}

// The validation that came only because the checkpoint's run was stopped is none of this one's, if
// there is more to do than that run had.
void FitLoop::leave_out_last_validation() {
  if (!resumes_ || !point_.before_stop || reached_end()) return;
  continues_cut_epoch_ = true;
  if (!is_inside_epoch()) return run_.metrics.undo_validation();
  run_.metrics.restore_kept();
  if (phase() != FitPhase::validation && phase() != FitPhase::validation_end) return;
  run_.hooks.forget_unfinished_hook();
  set_generator_states(generators_);
  move_to(FitPhase::batch_closing);
}

// The checkpoint was written at the epoch's end.
void FitLoop::finish_epoch_of_checkpoint() {
  if (phase() < FitPhase::epoch_end || phase() >= FitPhase::train_end) return;
  place_filters();
  run_.hooks.position.epoch = run_.current_epoch() + 1;
  const Fitting fitting{run_.hooks.position};
  run_.metrics.epoch([&](EpochMetrics& metrics) { end_epoch(metrics); });
  run_.requests.enter(Requests::Place::outside);
}

void FitLoop::place_filters() {
  run_.hooks.position = call_position();
  if (resumes_) run_.hooks.position.step = step_of_checkpoint_.value_or(run_.global_step());
  run_.hooks.check_filters();
}

void FitLoop::tell_checkpoints_of_end() {
  for (const CallbackHandle& handle : run_.callbacks) {
    auto* const writer = dynamic_cast<Checkpoint*>(handle.callback.get());
    if (writer == nullptr) continue;
    run_.hooks.call_for_state(*writer, "on_nothing_left",
                              [&] { writer->on_nothing_left(run_.trainer); });
  }
}

void FitLoop::check() const {
  run_.require(ModuleMethod::training_step, "training_step", "fit");
  run_.require(ModuleMethod::configure_optimizers, "configure_optimizers", "fit");
  const bool has_loader = run_.data.loaders
                              ? !run_.data.eval.empty()
                              : run_.data_function_defined(DataMethod::val_dataloaders);
  const bool has_step = run_.has(ModuleMethod::validation_step);
  if (has_loader && !has_step) {
    log_warning(
        "there is a val_dataloader, but the module has no validation_step; nothing is validated");
  }
  if (has_step && !has_loader) {
    log_warning(
        "the module has a validation_step, but there is no val_dataloader; nothing is "
        "validated");
  }
  if (run_.module->automatic_optimization) return;
  if (run_.options.gradient_clip_val.value_or(0) > 0) {
    throw ConfigError({},
                      fmt::format("gradient_clip_val={} has no effect under manual optimization; "
                                  "remove it and call clip_gradients in training_step",
                                  *run_.options.gradient_clip_val),
                      "gradient_clip_val");
  }
  if (run_.state.accumulate_grad_batches != 1) {
    throw ConfigError({},
                      fmt::format("accumulate_grad_batches={} has no effect under manual "
                                  "optimization; remove it and accumulate in training_step",
                                  run_.state.accumulate_grad_batches),
                      "accumulate_grad_batches");
  }
}

void FitLoop::reload() {
  forget_loaders();
  run_.loops->validation.forget_loaders();
  setup_data();
}

void FitLoop::setup_data() {
  const int64_t every = run_.options.reload_dataloaders_every_n_epochs;
  const bool reload = every > 0 && run_.current_epoch() - set_.last_reload_epoch >= every;
  if (set_.loaded && !reload) return;
  if (run_.limits.train.is_zero() || !run_.has(ModuleMethod::training_step)) return;

  std::shared_ptr<DataLoader> loader;
  if (run_.data.loaders) {
    loader = run_.data.train;
  } else if (run_.data_function_defined(DataMethod::train_dataloader)) {
    loader = run_.in_data("train_dataloader", [&] {
      return run_.data.module != nullptr ? run_.data.module->train_dataloader()
                                         : run_.module->train_dataloader();
    });
  }
  if (loader == nullptr) {
    throw ConfigError({},
                      "fit has no training data: pass a loader, or define train_dataloader in the "
                      "data module or the module");
  }
  if (const auto* combined = dynamic_cast<const CombinedLoader*>(loader.get());
      combined != nullptr && combined->mode() == CombinedMode::sequential) {
    throw ConfigError(
        {},
        "a training can't take a CombinedLoader of mode sequential, because a batch of "
        "it would come from one loader alone; use min_size, max_size_cycle or max_size");
  }
  if (!run_.options.overfit_batches.is_zero()) turn_off_shuffling(loader, "training");
  set_.loaders = {loader};
  set_.limits = {limited_batches(loader->size(), run_.limits.train, "train")};
  set_.loaded = true;
  unit_ = DataUnit::of(loader, set_.limits[0]);
  run_.state.num_training_batches = set_.limits[0];
  if (set_.limits[0] == 0) return;
  if (reload) set_.last_reload_epoch = run_.current_epoch();
  validations_.set_epoch_length(set_.limits[0]);

  if (!run_.options.loggers.empty() && run_.options.fast_dev_run == 0 && set_.limits[0] > 0 &&
      set_.limits[0] < run_.options.log_every_n_steps) {
    log_warning(
        "an epoch has {} training batches, fewer than log_every_n_steps={}: steps are logged "
        "less than once an epoch; lower it to see them",
        set_.limits[0], run_.options.log_every_n_steps);
  }
}

bool FitLoop::can_stop_early() const {
  const RunState& state = run_.state;
  const bool epochs = state.min_epochs == 0 || state.epoch.current.processed >= state.min_epochs;
  const bool steps = state.min_steps == 0 || run_.global_step() >= state.min_steps;
  return epochs && steps;
}

bool FitLoop::has_no_batches() const {
  return (set_.loaded && set_.limits[0] == 0) || no_data_;
}

// processed, not completed: checkpoints are written in on_train_epoch_end, before it is completed.
bool FitLoop::reached_epochs() const {
  const RunState& state = run_.state;
  return state.max_epochs != -1 && state.epoch.current.processed >= state.max_epochs;
}

bool FitLoop::reached_steps() const {
  return run_.state.max_steps != -1 && run_.global_step() >= run_.state.max_steps;
}

bool FitLoop::reached_end() const {
  return has_no_batches() || reached_steps() || reached_epochs() ||
         (run_.state.should_stop && can_stop_early());
}

bool FitLoop::done() {
  RunState& state = run_.state;
  if (has_no_batches()) {
    log_info("fit stopped: no training batches");
  } else if (reached_steps()) {
    log_info("fit stopped: max_steps={} reached", state.max_steps);
  } else if (reached_epochs()) {
    state.epoch.current.completed = state.epoch.current.processed;
    log_info("fit stopped: max_epochs={} reached", state.max_epochs);
  }
  return reached_end();
}

void FitLoop::run_epoch() {
  run_.requests.throw_if_interrupted();
  setup_data();
  run_.hooks.position.epoch = run_.current_epoch() + 1;
  run_.requests.enter(Requests::Place::batches);
  run_.metrics.epoch([&](EpochMetrics& metrics) {
    start_epoch();
    run_batches(metrics);
    end_epoch(metrics);
  });
  run_.requests.enter(Requests::Place::outside);
  save_if_requested();
  run_.requests.throw_if_interrupted();
}

void FitLoop::start_epoch() {
  if (phase() == FitPhase::between_epochs) {
    run_.state.epoch.ready();
    point_ = {.phase = FitPhase::epoch_start};
    run_.metrics.drop_kept();
  }
  if (phase() != FitPhase::epoch_start) return;
  Event event = run_.event();
  run_.hooks.on_train_epoch_start(event);
  run_.state.epoch.started();
  reset_epoch();
  move_to(FitPhase::between_batches);
  resumes_ = false;
}

// What comes from here on comes only because the run ends.
void FitLoop::note_cut() {
  generators_ = generator_states();
  run_.metrics.keep_visible();
}

bool FitLoop::ends_within_epoch() const {
  if (is_inside_epoch()) return point_.before_stop;
  return phase() == FitPhase::epoch_end && point_.epoch_cut_short;
}

bool FitLoop::validates_complete_epoch_once_more() const {
  return is_inside_epoch() && point_.before_stop &&
         (point_.end_epoch || num_ready_batches_reached());
}

void FitLoop::end_epoch(EpochMetrics& metrics) {
  RunState& state = run_.state;
  run_.requests.enter(Requests::Place::epoch_end);
  run_.requests.drop({RequestKind::end_epoch, RequestKind::evaluate});
  if (phase() < FitPhase::epoch_end) {
    stop_is_put_off_ = state.should_stop && !can_stop_early();
    state.epoch.processed();
    point_.epoch_cut_short = !num_ready_batches_reached();
    if (point_.epoch_cut_short) {
      run_.metrics.keep_epoch();
      run_.metrics.show_validation();
      if (!point_.before_stop) note_cut();
    }
    move_to(FitPhase::epoch_end);
  }
  if (phase() == FitPhase::epoch_end) {
    metrics.end([&] {
      Event event = run_.event();
      run_.hooks.on_train_epoch_end(event);
    });
    run_.monitor_check.after_epoch();
    move_to(FitPhase::epoch_closing);
  }
  close_epoch(metrics);
}

// What comes after on_train_epoch_end, and so after the checkpoint that was written in it.
void FitLoop::close_epoch(EpochMetrics& metrics) {
  RunState& state = run_.state;
  if (phase() == FitPhase::epoch_closing) {
    if (num_ready_batches_reached()) {
      schedulers_.step(Interval::epoch, /*with_metric=*/true, run_.current_epoch() + 1);
    }
    move_to(FitPhase::epoch_metrics);
  }
  // Loggers put the epoch's metrics at the step of its last batch. The epoch is over also when one
  // of them fails.
  struct EndOfEpoch {
    RunState& state;
    FitPoint& point;
    EndOfEpoch(RunState& of, FitPoint& at) : state(of), point(at) { --state.batches_that_stepped; }
    ~EndOfEpoch() {
      ++state.batches_that_stepped;
      state.epoch.completed();
      point.phase = FitPhase::between_epochs;
    }
  };
  const EndOfEpoch end(state, point_);
  validations_.finish_epoch();
  metrics.send_reduced();
  run_.metrics.show_validation();
}

void FitLoop::save_if_requested() {
  if (!run_.requests.take(RequestKind::save)) return;
  const auto directory = run_.trainer.log_dir() / "checkpoints";
  run_.checkpointing.save(directory / fmt::format("request-step={}.ckpt", run_.global_step()),
                          /*weights_only=*/false);
}

bool FitLoop::validates_this_epoch() const {
  const auto every = run_.limits.check_val_every_n_epoch;
  return run_.trainer.validation_enabled() &&
         (!every.has_value() || (run_.current_epoch() + 1) % *every == 0);
}

}  // namespace grapnel
