#include "run/progress_state.h"

namespace grapnel {

namespace {

// Which of the four counters a tracker has.
enum class Fields { ready_completed, with_started, all };

StateDict counter_state(const Counter& counter, Fields fields) {
  StateDict state{{"ready", counter.ready}, {"completed", counter.completed}};
  if (fields != Fields::ready_completed) state["started"] = counter.started;
  if (fields == Fields::all) state["processed"] = counter.processed;
  return state;
}

StateDict tracker_state(const Progress& progress, Fields fields) {
  return {{"total", counter_state(progress.total, fields)},
          {"current", counter_state(progress.current, fields)}};
}

Counter load_counter(const StateDict& state) {
  Counter counter;
  counter.ready = state.at("ready").to_int();
  counter.completed = state.at("completed").to_int();
  if (const StateValue* started = state.find("started")) counter.started = started->to_int();
  if (const StateValue* processed = state.find("processed"))
    counter.processed = processed->to_int();
  return counter;
}

Progress load_tracker(const StateDict& state) {
  return {load_counter(state.at("total").to_dict()), load_counter(state.at("current").to_dict())};
}

}  // namespace

StateDict progress_state(const RunState& state) {
  StateDict batch = tracker_state(state.batch, Fields::all);
  batch["is_last_batch"] = state.is_last_batch;
  StateDict val_batch = tracker_state(state.val_batch, Fields::all);
  val_batch["is_last_batch"] = state.val_is_last_batch;
  StateDict fit{
      {"epoch_progress", tracker_state(state.epoch, Fields::all)},
      {"batch_progress", batch},
      {"optimizer_step", tracker_state(state.optimizer_step, Fields::ready_completed)},
      {"zero_grad", tracker_state(state.zero_grad, Fields::with_started)},
      {"manual_step", tracker_state(state.manual_step, Fields::ready_completed)},
      {"scheduler_progress", tracker_state(state.scheduler, Fields::ready_completed)},
      {"val_batch_progress", val_batch},
      {"batches_that_stepped", state.batches_that_stepped},
      {"validated_at_batch", state.validated_at_batch},
      {"window_start", state.window_start},
  };
  return {{"fit_loop", fit}};
}

void load_progress(const StateDict& loops, RunState& state) {
  const StateDict& fit = loops.at("fit_loop").to_dict();
  RunState loaded = state;
  loaded.epoch = load_tracker(fit.at("epoch_progress").to_dict());
  const StateDict& batch = fit.at("batch_progress").to_dict();
  loaded.batch = load_tracker(batch);
  loaded.is_last_batch = batch.at("is_last_batch").to_bool();
  loaded.optimizer_step = load_tracker(fit.at("optimizer_step").to_dict());
  loaded.zero_grad = load_tracker(fit.at("zero_grad").to_dict());
  loaded.manual_step = load_tracker(fit.at("manual_step").to_dict());
  loaded.scheduler = load_tracker(fit.at("scheduler_progress").to_dict());
  const StateDict& val_batch = fit.at("val_batch_progress").to_dict();
  loaded.val_batch = load_tracker(val_batch);
  loaded.val_is_last_batch = val_batch.at("is_last_batch").to_bool();
  loaded.batches_that_stepped = fit.at("batches_that_stepped").to_int();
  loaded.validated_at_batch = fit.at("validated_at_batch").to_int();
  loaded.window_start = fit.at("window_start").to_int();
  state = loaded;
}

}  // namespace grapnel
