// The loop over epochs and the loop over an epoch's batches: Trainer::fit's inside.
//
// Where a resumed run goes on follows from the counters of RunState alone: a checkpoint may have been
// written at the start of an epoch, in its middle, at a batch's end, or at the epoch's end.
#pragma once

#include <cstdint>
#include <optional>

#include "../loader_set.h"
#include "grapnel/batch.h"

namespace grapnel {

class Run;
class OptimizationStep;

class FitLoop {
 public:
  explicit FitLoop(Run& run);

  void run();

  // The counters come from a checkpoint: the next run goes on from there.
  void restart_from_checkpoint();
  bool restarting() const { return restarting_; }

  // Gradients are kept for a later micro-batch: no optimizer step after this one.
  bool should_accumulate() const;
  bool can_stop_early() const;
  // Whether validation belongs to the running epoch.
  bool validates_this_epoch() const;
  const LoaderSet& loaders() const { return set_; }
  std::optional<int64_t> val_check_batch() const { return val_check_batch_; }
  void note_validation(double now) { last_validation_ = now; }
  void forget_loaders() { set_ = {}; }
  // Asked for by request: validation after this batch although none is due.
  void evaluate_once() { evaluate_requested_ = true; }

 private:
  enum class Restart { none, epoch_start, mid_epoch, epoch_end, resumed_at_epoch_end };
  enum class BatchRestart { none, train_batch_end, last };

  void setup_data();
  void setup_val_check();
  bool done();
  void reset();
  void find_restart_stage();
  void on_epoch_start();
  void on_epoch_end();

  // loops/training_epoch.cpp
  void run_epoch();
  void reset_epoch();
  bool epoch_done();
  bool advance();  // false: the rest of the epoch is skipped
  void train_on(Batch& batch, int64_t batch_idx, StepOutput& output);
  void on_advance_end();
  bool training_done() const;
  bool accumulated_batches_reached() const;
  bool num_ready_batches_reached() const;
  bool validation_is_due();
  void update_schedulers(bool step_interval, bool plateau);

  Run& run_;
  LoaderSet set_;
  Fetcher fetcher_;
  std::optional<int64_t> val_check_batch_;  // nothing: at the end of the data
  double last_validation_ = 0;

  // As Lightning's flags of the same names: set by a checkpoint, cleared after one iteration.
  bool restarting_ = false;
  bool loaded_ = false;
  bool epoch_restarting_ = false;
  Restart restart_ = Restart::none;
  BatchRestart batch_restart_ = BatchRestart::none;
  bool skip_next_val_ = false;
  bool evaluate_requested_ = false;
  bool end_epoch_requested_ = false;
};

}  // namespace grapnel
