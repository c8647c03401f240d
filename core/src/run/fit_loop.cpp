#include "run/fit_loop.h"

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <limits>

#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "grapnel/data/combined_loader.h"
#include "run/loops.h"
#include "run/run.h"

namespace grapnel {

void FitLoop::begin() {
  resume_ = Resume::none;
  skip_next_val_ = false;
  end_epoch_requested_ = false;
  gradients_of_batch_ = false;
  // An epoch that was cut off starts again; one that had reached its end hooks counts as finished.
  for (Counter* epoch : {&run_.state.epoch.total, &run_.state.epoch.current}) {
    epoch->ready = epoch->started = epoch->completed = epoch->processed;
  }
}

void FitLoop::restart_from_checkpoint() {
  const RunState& state = run_.state;
  const Counter& epoch = state.epoch.total;
  // Of this epoch: the total still counts batches that failed or were left out in earlier ones.
  const Counter& batch = state.batch.current;
  resume_ = Resume::none;
  if (epoch.started == epoch.ready - 1) {
    resume_ = Resume::epoch_start;
  } else if (epoch.processed == epoch.started && epoch.completed == epoch.processed - 1) {
    resume_ = Resume::epoch_end;
  } else if (epoch.processed == epoch.started - 1) {
    if (batch.processed != batch.ready || batch.ready == 0) {
      resume_ = Resume::mid_epoch;
    } else if (batch.completed == batch.processed - 1) {
      resume_ = Resume::batch_end;
    } else if (state.validated_at_batch == state.batch.total.ready) {
      resume_ = Resume::after_validation;
    } else {
      resume_ = Resume::before_validation;
    }
  }
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
    position.steps = *position.epochs * ((batches + window - 1) / window);
  }
  if (state.max_steps >= 0) {
    position.steps = std::min(position.steps.value_or(state.max_steps), state.max_steps);
  }
  return position;
}

void FitLoop::run() {
  const at::AutoGradMode grad(true);
  setup_data();
  if (resume_ == Resume::epoch_end) {
    run_.metrics.epoch([&](EpochMetrics& metrics) { close_epoch(metrics); });
    resume_ = Resume::none;
  }
  if (done() || run_.limits.train.is_zero()) return;

  // Kept as processed, so that a resumed run counts the epoch it continues.
  if (run_.state.max_steps == -1) {
    run_.state.epoch.current.completed = run_.state.epoch.current.processed;
  }
  if (validates_this_epoch() && !run_.loops->validation.loaders().loaded) {
    // For the progress bar, which shows how many batches there will be.
    run_.state.stage = Stage::validate;
    run_.loops->validation.setup_data();
    run_.state.stage = Stage::train;
  }
  run_.hooks.position = call_position();
  const Fitting fitting{run_.hooks.position};
  run_.hooks.check_filters();
  Event event = run_.event();
  run_.hooks.on_train_start(event);
  run_.monitor_check.before_training();

  while (!done()) {
    run_.metrics.epoch([&](EpochMetrics& metrics) {
      on_epoch_start();
      run_epoch(metrics);
      on_epoch_end(metrics);
    });
  }
  run_.hooks.on_train_end(event);
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
  run_.state.num_training_batches = set_.limits[0];
  if (set_.limits[0] == 0) return;
  set_.last_reload_epoch = run_.current_epoch();
  setup_val_check();

  if (!run_.options.loggers.empty() && run_.options.fast_dev_run == 0 && set_.limits[0] > 0 &&
      set_.limits[0] < run_.options.log_every_n_steps) {
    log_warning(
        "an epoch has {} training batches, fewer than log_every_n_steps={}: steps are logged "
        "less than once an epoch; lower it to see them",
        set_.limits[0], run_.options.log_every_n_steps);
  }
}

// Turns val_check_interval into a number of batches, now that the length of an epoch is known.
void FitLoop::setup_val_check() {
  const int64_t batches = set_.limits[0];
  val_check_batch_.reset();
  if (run_.limits.val_seconds.has_value()) {
    last_validation_ = run_.clock->now();
    return;
  }
  const auto& interval = run_.limits.val_check_interval.value;
  if (const int64_t* count = std::get_if<int64_t>(&interval)) {
    if (batches >= 0 && *count > batches && run_.limits.check_val_every_n_epoch.has_value() &&
        !run_.limits.val.is_zero()) {
      throw ConfigError(
          {},
          fmt::format("val_check_interval={} is more than the {} training batches of an epoch; "
                      "lower it, set limit_val_batches=0 to validate never, or "
                      "check_val_every_n_epoch=null to count batches over epochs",
                      *count, batches),
          "val_check_interval");
    }
    val_check_batch_ = *count;
    return;
  }
  const double fraction = std::get<double>(interval);
  if (batches < 0) {
    if (fraction == 1.0) return;
    throw ConfigError({},
                      fmt::format("val_check_interval={} is a fraction, but the training data "
                                  "doesn't know how many batches it has; give a whole number of "
                                  "batches, a time, or 1.0",
                                  fraction),
                      "val_check_interval");
  }
  val_check_batch_ =
      std::max<int64_t>(1, static_cast<int64_t>(static_cast<double>(batches) * fraction));
}

bool FitLoop::can_stop_early() const {
  const RunState& state = run_.state;
  const bool epochs = state.min_epochs == 0 || state.epoch.current.processed >= state.min_epochs;
  const bool steps = state.min_steps == 0 || run_.global_step() >= state.min_steps;
  return epochs && steps;
}

bool FitLoop::done() {
  RunState& state = run_.state;
  if (set_.loaded && set_.limits[0] == 0) {
    log_info("fit stopped: no training batches");
    return true;
  }
  if (state.max_steps != -1 && run_.global_step() >= state.max_steps) {
    log_info("fit stopped: max_steps={} reached", state.max_steps);
    return true;
  }
  // processed, not completed: checkpoints are written in on_train_epoch_end, before it is
  // completed.
  if (state.max_epochs != -1 && state.epoch.current.processed >= state.max_epochs) {
    state.epoch.current.completed = state.epoch.current.processed;
    log_info("fit stopped: max_epochs={} reached", state.max_epochs);
    return true;
  }
  return state.should_stop && can_stop_early();
}

void FitLoop::on_epoch_start() {
  run_.requests.throw_if_interrupted();
  setup_data();
  run_.hooks.position.epoch = run_.current_epoch() + 1;
  run_.requests.enter(Requests::Place::batches);
  if (resume_ != Resume::none && resume_ != Resume::epoch_start) return;
  if (resume_ == Resume::none) run_.state.epoch.ready();
  resume_ = Resume::none;
  Event event = run_.event();
  run_.hooks.on_train_epoch_start(event);
  run_.state.epoch.started();
}

void FitLoop::on_epoch_end(EpochMetrics& metrics) {
  run_.requests.enter(Requests::Place::epoch_end);
  run_.requests.drop({RequestKind::end_epoch, RequestKind::evaluate});
  metrics.end([&] {
    run_.state.epoch.processed();
    Event event = run_.event();
    run_.hooks.on_train_epoch_end(event);
  });
  run_.monitor_check.after_epoch();

  close_epoch(metrics);
  run_.requests.enter(Requests::Place::outside);
  save_if_requested();
  run_.requests.throw_if_interrupted();
}

// What comes after on_train_epoch_end, and so after the checkpoint that was written in it.
void FitLoop::close_epoch(EpochMetrics& metrics) {
  RunState& state = run_.state;
  if (num_ready_batches_reached()) update_schedulers(/*step_interval=*/false, /*plateau=*/true);
  // Loggers put the epoch's metrics at the step of its last batch. The epoch is over also when one
  // of them fails: its schedulers have moved on and must not do so again.
  struct EndOfEpoch {
    RunState& state;
    explicit EndOfEpoch(RunState& of) : state(of) { --state.batches_that_stepped; }
    ~EndOfEpoch() {
      ++state.batches_that_stepped;
      state.epoch.completed();
    }
  };
  const EndOfEpoch end(state);
  metrics.send_reduced();
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
