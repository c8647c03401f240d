#include "run/progress_state.h"

#include <fmt/format.h>

#include "grapnel/base/error.h"

namespace grapnel {

namespace {

constexpr int64_t kMost = int64_t{1} << 53;

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

StateDict point_state(const FitPoint& point) {
  StateDict state{{"phase", std::string(to_string(point.phase))},
                  {"epoch_cut_short", point.epoch_cut_short}};
  if (point.end_epoch) state["end_epoch"] = true;
  if (point.batch_left_out) state["batch_left_out"] = true;
  if (point.data_ended) state["data_ended"] = true;
  if (point.late_step) state["late_step"] = true;
  if (point.before_stop) state["before_stop"] = true;
  return state;
}

class Reader {
 public:
  explicit Reader(const std::filesystem::path& file) : file_(file) {}

  template <class... Args>
  [[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) const {
    throw CheckpointError(file_, fmt::format("loops.fit_loop.{}; the file is damaged or was edited",
                                             fmt::format(format, std::forward<Args>(args)...)));
  }

  int64_t count(const StateDict& state, const std::string& path, std::string_view key,
                int64_t least = 0) const {
    const StateValue& value = state.at(key);
    if (!value.is_int() || value.to_int() < least || value.to_int() > kMost) {
      refuse("{}{} is {}, where a count from {} is expected", path, key,
             value.is_int() ? std::to_string(value.to_int()) : value.describe(), least);
    }
    return value.to_int();
  }

  Progress tracker(const StateDict& fit, const std::string& name) const {
    const StateDict& state = fit.at(name).to_dict();
    return {counter(state.at("total").to_dict(), name + ".total."),
            counter(state.at("current").to_dict(), name + ".current.")};
  }

  // In the order in which one follows from the other.
  void in_order(const std::string& path, const char* less, int64_t a, const char* more,
                int64_t b) const {
    if (a > b) refuse("{}{} is {}, more than {}{}, which is {}", path, less, a, path, more, b);
  }

 private:
  Counter counter(const StateDict& state, const std::string& path) const {
    Counter counter;
    counter.ready = count(state, path, "ready");
    counter.completed = count(state, path, "completed");
    if (state.contains("started")) counter.started = count(state, path, "started");
    if (state.contains("processed")) counter.processed = count(state, path, "processed");
    in_order(path, "completed", counter.completed, "ready", counter.ready);
    in_order(path, "started", counter.started, "ready", counter.ready);
    in_order(path, "processed", counter.processed, "ready", counter.ready);
    return counter;
  }

  const std::filesystem::path& file_;
};

void check_epochs(const Reader& reader, const RunState& state) {
  for (const auto& [path, epoch] : {std::pair("epoch_progress.total.", &state.epoch.total),
                                    std::pair("epoch_progress.current.", &state.epoch.current)}) {
    reader.in_order(path, "processed", epoch->processed, "started", epoch->started);
    reader.in_order(path, "completed", epoch->completed, "processed", epoch->processed);
  }
  const Counter& current = state.epoch.current;
  if (current.ready - current.completed > 1) {
    reader.refuse(
        "epoch_progress.current.ready is {}, but completed is {}; one epoch runs at a time",
        current.ready, current.completed);
  }
}

void check_batches(const Reader& reader, const RunState& state) {
  const Progress& batch = state.batch;
  reader.in_order("batch_progress.", "current.ready", batch.current.ready, "total.ready",
                  batch.total.ready);
  if (state.window_start >= batch.current.ready && state.window_start > 0) {
    reader.refuse("window_start is {}, but the epoch has only {} batches so far",
                  state.window_start, batch.current.ready);
  }
  if (state.batches_that_stepped > batch.total.ready) {
    reader.refuse("batches_that_stepped is {}, more than batch_progress.total.ready, which is {}",
                  state.batches_that_stepped, batch.total.ready);
  }
}

bool flag(const StateDict& state, std::string_view key) {
  const StateValue* value = state.find(key);
  return value != nullptr && value->to_bool();
}

FitPoint load_point(const Reader& reader, const StateDict& state) {
  FitPoint point;
  const std::string& name = state.at("phase").to_string();
  while (to_string(point.phase) != name) {
    if (point.phase == FitPhase::complete) {
      reader.refuse("resume_point.phase is '{}', which this version does not know", name);
    }
    point.phase = static_cast<FitPhase>(static_cast<int32_t>(point.phase) + 1);
  }
  point.epoch_cut_short = flag(state, "epoch_cut_short");
  point.end_epoch = flag(state, "end_epoch");
  point.batch_left_out = flag(state, "batch_left_out");
  point.data_ended = flag(state, "data_ended");
  point.late_step = flag(state, "late_step");
  point.before_stop = flag(state, "before_stop");
  return point;
}

// Of a checkpoint that has no phase: what the counters tell.
FitPhase infer_phase(const RunState& state) {
  const Counter& epoch = state.epoch.total;
  // Of this epoch: the total still counts batches that failed or were left out in earlier ones.
  const Counter& batch = state.batch.current;
  if (epoch.started == epoch.ready - 1) return FitPhase::epoch_start;
  if (epoch.processed == epoch.started && epoch.completed == epoch.processed - 1) {
    return FitPhase::epoch_closing;
  }
  if (epoch.processed != epoch.started - 1) return FitPhase::between_epochs;
  if (batch.processed != batch.ready || batch.ready == 0) return FitPhase::in_batch;
  if (batch.completed == batch.processed - 1) return FitPhase::step_metrics;
  return state.validated_at_batch == state.batch.total.ready ? FitPhase::after_validation
                                                             : FitPhase::requests;
}

}  // namespace

StateDict progress_state(const RunState& state, const FitPoint& point) {
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
      {"resume_point", point_state(point)},
  };
  return {{"fit_loop", fit}};
}

void load_progress(const StateDict& loops, RunState& state, FitPoint& point,
                   const std::filesystem::path& file) {
  const Reader reader(file);
  const StateDict& fit = loops.at("fit_loop").to_dict();
  RunState loaded = state;
  loaded.epoch = reader.tracker(fit, "epoch_progress");
  loaded.batch = reader.tracker(fit, "batch_progress");
  loaded.is_last_batch = fit.at("batch_progress").to_dict().at("is_last_batch").to_bool();
  loaded.optimizer_step = reader.tracker(fit, "optimizer_step");
  loaded.zero_grad = reader.tracker(fit, "zero_grad");
  loaded.manual_step = reader.tracker(fit, "manual_step");
  loaded.scheduler = reader.tracker(fit, "scheduler_progress");
  loaded.val_batch = reader.tracker(fit, "val_batch_progress");
  loaded.val_is_last_batch = fit.at("val_batch_progress").to_dict().at("is_last_batch").to_bool();
  loaded.batches_that_stepped = reader.count(fit, "", "batches_that_stepped");
  loaded.validated_at_batch = reader.count(fit, "", "validated_at_batch", -1);
  loaded.window_start = reader.count(fit, "", "window_start", -1);
  check_epochs(reader, loaded);
  check_batches(reader, loaded);
  const StateValue* saved = fit.find("resume_point");
  point = saved != nullptr ? load_point(reader, saved->to_dict())
                           : FitPoint{.phase = infer_phase(loaded)};
  state = loaded;
}

}  // namespace grapnel
