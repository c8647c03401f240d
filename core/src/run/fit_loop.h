// The loop over epochs and the loop over an epoch's batches: Trainer::fit's inside.
//
// Where a resumed run goes on follows from the counters of RunState alone: a checkpoint may have been
// written at the start of an epoch, between batches, at a batch's end, around a validation, or at the
// epoch's end. Whatever the interrupted run had still to do there is done first, so that the resumed run
// is the same as one never stopped.
#pragma once

#include <cstdint>
#include <optional>

#include "grapnel/batch.h"
#include "run/loader_set.h"

namespace grapnel {

class Run;
class OptimizationStep;

class FitLoop {
 public:
  explicit FitLoop(Run& run);

  // A fit that is not resumed, or not yet: what an earlier one left unfinished is over.
  void begin();
  void run();

  // Where the loop stands: what may be asked of it depends on that.
  enum class Place {
    outside,
    batches,    // from on_train_epoch_start to the end of the epoch's last batch
    epoch_end,  // on_train_epoch_end
  };
  Place place() const { return place_; }

  // The counters come from a checkpoint: the next run goes on from there.
  void restart_from_checkpoint();
  // Goes on in the middle of an epoch.
  bool resumes_inside_epoch() const {
    return resume_ != Resume::none && resume_ != Resume::epoch_end;
  }

  // Gradients are kept for a later micro-batch: no optimizer step after this one.
  bool should_accumulate() const;
  bool can_stop_early() const;
  // Whether validation belongs to the running epoch.
  bool validates_this_epoch() const;
  const LoaderSet& loaders() const { return set_; }
  std::optional<int64_t> val_check_batch() const { return val_check_batch_; }
  void note_validation(double now) { last_validation_ = now; }
  void forget_loaders() { set_ = {}; }
  // The training data, unless they are there and need not be made anew.
  void setup_data();

 private:
  // What a resumed run does first.
  enum class Resume {
    none,
    epoch_start,        // on_train_epoch_start again
    mid_epoch,          // the next batch, or the one that had begun
    batch_end,          // what comes after on_train_batch_end
    before_validation,  // the validation that was due, if one was
    after_validation,   // what comes after it
    epoch_end,          // what comes after on_train_epoch_end
  };

  void setup_val_check();
  bool done();
  void on_epoch_start();
  void on_epoch_end();
  void close_epoch();

  // loops/training_epoch.cpp
  CallPosition call_position() const;
  void run_epoch();
  void reset_epoch();
  void resume_epoch();
  bool epoch_done();
  bool advance();  // false: the rest of the epoch is skipped
  void train_on(Batch& batch, int64_t batch_idx, StepOutput& output);
  void on_advance_end();
  void validate();
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

  Place place_ = Place::outside;
  Resume resume_ = Resume::none;
  bool skip_next_val_ = false;
  bool end_epoch_requested_ = false;
};

}  // namespace grapnel
