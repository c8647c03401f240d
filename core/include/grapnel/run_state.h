// The progress of a run, as one copyable value.
//
// Counters follow Lightning's progress trackers: ready (about to start), started, processed (its
// work is done), completed (its end hooks ran). "total" counts over the trainer's life, "current"
// within the enclosing loop. Checkpoints save them, and a resumed run continues from them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "grapnel/export.h"

namespace grapnel {

// What the user asked for; the numbers are those of the plugin ABI.
enum class RunKind : int32_t { none = 0, fit = 1, validate = 2, test = 3, predict = 4 };
enum class Stage : int32_t {
  none = 0,
  train = 1,
  sanity_check = 2,
  validate = 3,
  test = 4,
  predict = 5
};
enum class Status { initializing, running, finished, interrupted };
enum class Outcome : int32_t { finished = 0, stopped = 1, interrupted = 2, failed = 3 };

GRAPNEL_CORE_API std::string_view to_string(RunKind kind);
GRAPNEL_CORE_API std::string_view to_string(Stage stage);
GRAPNEL_CORE_API std::string_view to_string(Status status);
GRAPNEL_CORE_API std::string_view to_string(Outcome outcome);

struct Counter {
  int64_t ready = 0;
  int64_t started = 0;
  int64_t processed = 0;
  int64_t completed = 0;
};

struct Progress {
  Counter total;
  Counter current;

  void ready() { ++total.ready, ++current.ready; }
  void started() { ++total.started, ++current.started; }
  void processed() { ++total.processed, ++current.processed; }
  void completed() { ++total.completed, ++current.completed; }
  void reset_on_run() { current = {}; }
  // Work in progress when the checkpoint was written is repeated.
  void reset_on_restart() {
    current.ready = current.completed;
    current.started = current.completed;
    current.processed = current.completed;
  }
};

struct RunState {
  RunKind kind = RunKind::none;
  Stage stage = Stage::none;
  Status status = Status::initializing;

  Progress epoch;              // epochs of fit
  Progress batch;              // training batches; current: of this epoch
  bool is_last_batch = false;  // of this epoch
  Progress optimizer_step;     // automatic optimization
  Progress zero_grad;
  Progress manual_step;  // manual optimization: all optimizers' steps
  Progress scheduler;    // steps of learning-rate schedulers
  Progress val_batch;    // validation inside fit; total: of this epoch
  bool val_is_last_batch = false;
  int64_t validated_at_batch = -1;  // batch.total.ready at the last validation inside fit
  Progress eval_batch;              // validate, test
  Progress predict_batch;
  int64_t batches_that_stepped =
      0;  // batches after which an optimizer stepped: the loggers' x-axis

  int64_t max_epochs = -1;  // -1: no limit
  int64_t min_epochs = 0;
  int64_t max_steps = -1;  // -1: no limit
  int64_t min_steps = 0;
  int64_t num_training_batches = 0;  // per epoch; -1: unknown
  int64_t accumulate_grad_batches = 1;
  bool should_stop = false;
  // First batch of the open accumulation window, whose gradients no optimizer step has used yet;
  // -1: no window is open. Automatic optimization only.
  int64_t window_start = -1;
};

}  // namespace grapnel
