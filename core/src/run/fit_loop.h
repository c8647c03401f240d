// The loop over epochs and the loop over an epoch's batches: Trainer::fit's inside.
//
// Where a resumed run continues follows from the counters of RunState alone: a checkpoint may have
// been written at the start of an epoch, between batches, at a batch's end, around a validation, or
// at the epoch's end. What the interrupted run still had to do there is done first, so that the
// resumed run is the same as one never stopped.
#pragma once

#include <cstdint>
#include <optional>

#include "grapnel/batch.h"
#include "grapnel/call_filter.h"
#include "run/loop.h"

namespace grapnel {

class EpochMetrics;

class FitLoop final : public Loop {
 public:
  explicit FitLoop(Run& run) : Loop(run) {}

  Stage stage() const override { return Stage::train; }
  // A fit that is not resumed, or not yet: what an earlier one left unfinished is over.
  void begin() override;
  void check() const override;
  void setup_data() override;
  void run() override;
  void reload() override;

  // The counters come from a checkpoint: the next run continues from there.
  void restart_from_checkpoint();
  // The next run continues in the middle of an epoch.
  bool resumes_inside_epoch() const {
    return resume_ != Resume::none && resume_ != Resume::epoch_end;
  }

  // Gradients are kept for a later micro-batch: no optimizer step after this one.
  bool should_accumulate() const;
  // Whether validation belongs to the running epoch.
  bool validates_this_epoch() const;
  void note_validation(double now) { last_validation_ = now; }

  // Steps run training_step alone (Trainer::set_skip_backward).
  void set_skip_backward(bool value) { skip_backward_ = value; }
  bool skips_backward() const { return skip_backward_; }
  // The gradients hold something of the batch that is running, which a resumed run does again.
  void set_gradients_of_batch(bool value) { gradients_of_batch_ = value; }
  bool has_gradients_of_batch() const { return gradients_of_batch_; }

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

  // What requests made during a batch come to after it.
  struct BatchDecision {
    bool end_epoch = false;
    bool evaluate = false;
  };

  void setup_val_check();
  CallPosition call_position() const;
  bool done();
  bool can_stop_early() const;
  void on_epoch_start();
  void on_epoch_end(EpochMetrics& metrics);
  void close_epoch(EpochMetrics& metrics);
  void save_if_requested();

  // training_epoch.cpp
  void run_epoch(EpochMetrics& metrics);
  void reset_epoch();
  void resume_epoch(EpochMetrics& metrics);
  bool epoch_done();
  bool advance(EpochMetrics& metrics);  // false: the rest of the epoch is skipped
  bool train_batch(Batch& batch, int64_t batch_idx);
  bool step_on(Batch& batch, int64_t batch_idx, StepOutput& output);
  void send_step_metrics(EpochMetrics& metrics);
  void on_advance_end();
  BatchDecision decide_after_batch();
  bool take_evaluation();
  void validate();
  bool training_done() const;
  bool accumulated_batches_reached() const;
  bool num_ready_batches_reached() const;
  bool validation_is_due();
  void update_schedulers(bool step_interval, bool plateau);

  Fetcher fetcher_;
  std::optional<int64_t> val_check_batch_;  // nothing: at the end of the data
  double last_validation_ = 0;

  Resume resume_ = Resume::none;
  bool skip_next_val_ = false;
  bool end_epoch_requested_ = false;
  bool skip_backward_ = false;
  bool gradients_of_batch_ = false;
};

}  // namespace grapnel
