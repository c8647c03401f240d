// The loop over epochs and the loop over an epoch's batches: Trainer::fit's inside.
//
// What is done is noted as a phase (fit_point.h), which moves on together with
// what the phase does: a checkpoint, whenever it is written, says what is left, and a resumed run
// comes in at that phase. So the resumed run is the same as one never stopped. A checkpoint of the
// former format has no phase; it is inferred from the counters (progress_state.h).
//
// An epoch ends where its data do, whatever the loader had said. One that a limit or a stop ended
// before that is called cut short: a resumed run that has more to do trains the rest of it. When it
// has other data, it continues at the same sample, or as near as its batches allow (data_unit.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "grapnel/batch.h"
#include "grapnel/call_filter.h"
#include "run/data_unit.h"
#include "run/fit_point.h"
#include "run/loop.h"
#include "run/scheduler_steps.h"
#include "run/validation_schedule.h"
#include "values/rng.h"

namespace grapnel {

class EpochMetrics;

class FitLoop final : public Loop {
 public:
  explicit FitLoop(Run& run) : Loop(run), schedulers_(run), validations_(run) {}

  Stage stage() const override { return Stage::train; }
  // A fit that is not resumed, or not yet: what an earlier one left unfinished is over.
  void begin() override;
  void check() const override;
  void setup_data() override;
  void run() override;
  void reload() override;

  // ---- Its part of a checkpoint: "loops"
  StateDict state_dict() const;
  // The next run continues from there. Throws CheckpointError naming the file and the key.
  void load_state_dict(const StateDict& loops, const std::filesystem::path& file);
  // What load_state_dict changes and begin() leaves: for undo_load, when the rest of the checkpoint
  // is refused.
  StateDict validation_schedule() const { return validations_.state_dict(0); }
  void undo_load(const StateDict& validation_schedule);
  // What a position in an epoch's data means for a checkpoint that is written now; nothing before
  // there are data.
  std::optional<DataUnit> data_unit() const;
  // What the position of the checkpoint that was loaded means.
  void set_former_unit(DataUnit unit) { former_unit_ = std::move(unit); }
  // The windows that the training of that checkpoint goes on with, where it had others for a while.
  void set_former_accumulation(int64_t batches) {
    if (former_unit_.has_value()) former_unit_->accumulate_grad_batches = batches;
  }
  // Whether gradients of an open accumulation window belong into a checkpoint.
  bool keeps_gradients() const;
  // The next run continues in the middle of an epoch.
  bool resumes_inside_epoch() const;
  // A checkpoint that is written now has the running batch done again: what it drew and logged since
  // its beginning is no part of it.
  bool repeats_batch() const { return marked_ == phase() && phase() == FitPhase::in_batch; }
  // The number of the batch or validation that is done again; 0: none.
  uint64_t repeated_part() const { return marked_ == phase() ? part_ : 0; }
  // The random generators with which a resumed run continues.
  StateDict generators_to_save() const;

  // ---- What the run's other parts ask for and tell
  // Gradients are kept for a later micro-batch: no optimizer step after this one.
  bool should_accumulate() const;
  // Whether validation belongs to the running epoch.
  bool validates_this_epoch() const;
  // The validation within the epoch is done but for on_validation_end, which comes next.
  void enter_validation_end();
  void note_validation(double now) {
    if (!point_.before_stop) validations_.note_validation(now);
  }
  // on_train_epoch_end or a validation comes only because the run ends within the epoch. A resumed run
  // trains the rest of it, and comes to what is due then.
  bool ends_within_epoch() const;
  // The validation that runs comes only because the run ends, and the epoch has no batch left: what
  // comes at the epoch's end is as it is without it.
  bool validates_complete_epoch_once_more() const;
  // The run continues an epoch after whose cut off part another one had ended.
  bool continues_cut_epoch() const { return continues_cut_epoch_; }
  // The optimizer has made the step of the running batch; output: its loss, detached.
  void enter_after_step(const StepOutput& output);

  // Steps run training_step alone (Trainer::set_skip_backward).
  void set_skip_backward(bool value) { skip_backward_ = value; }
  bool skips_backward() const { return skip_backward_; }
  // The gradients hold something of the batch that is running, which a resumed run does again.
  void set_gradients_of_batch(bool value) { gradients_of_batch_ = value; }

 private:
  FitPhase phase() const;
  void move_to(FitPhase next);
  void mark_beginning(FitPhase of);
  bool is_inside_epoch() const;

  // fit_loop.cpp
  CallPosition call_position() const;
  bool done();  // says in the log why
  bool reached_end() const;
  bool has_no_batches() const;
  bool reached_steps() const;
  bool reached_epochs() const;
  bool can_stop_early() const;
  void reopen_cut_epoch();
  void leave_out_last_validation();
  void finish_epoch_of_checkpoint();
  void place_filters();
  void note_cut();
  void tell_checkpoints_of_end();
  void run_epoch();
  void start_epoch();
  void end_epoch(EpochMetrics& metrics);
  void close_epoch(EpochMetrics& metrics);
  void save_if_requested();

  // fit_loop_state.cpp
  bool keeps_stop() const;
  bool restores_stop_of(const std::string& author) const;
  RunState progress_to_save() const;
  int64_t repeated_batches() const;
  void repeat_unfinished();

  // fit_loop_position.cpp
  struct Move {
    int64_t start;     // a position of the checkpoint's, in its batches
    int64_t position;  // the same in those of now
    bool is_end;       // of the epoch: there are no more batches now
  };
  DataUnit unit_of_loader() const;
  void measure_size_if_unknown(DataUnit& unit, const DataUnit& former);
  void note_size(const Fetcher::Item& item);
  void resume_batches(EpochMetrics& metrics);
  void move_position(const UnitChange& change, EpochMetrics& metrics);
  void tell_move(const UnitChange& change, const Move& move) const;

  // training_epoch.cpp
  void run_batches(EpochMetrics& metrics);
  void reset_epoch();
  void finish_batch_of_checkpoint(EpochMetrics& metrics);
  Batch batch_again(int64_t batch_idx);
  bool training_done() const;
  bool accumulated_batches_reached() const;
  bool num_ready_batches_reached() const;
  bool epoch_done();
  void train_next_batch(EpochMetrics& metrics);
  void end_data(EpochMetrics& metrics);
  void step_on(Batch& batch, int64_t batch_idx);
  int64_t steps_of_next_batch() const;
  void finish_step();
  void finish_batch(Batch& batch, int64_t batch_idx);
  void step_epoch_schedulers();
  void close_batch(EpochMetrics& metrics);
  void send_step_metrics(EpochMetrics& metrics);
  void decide_after_batch();
  void take_end_epoch();
  bool take_evaluation();
  void validate();
  void finish_validation();
  void leave_validation();

  FitPoint point_;
  Fetcher fetcher_;
  SchedulerSteps schedulers_;
  ValidationSchedule validations_;
  StepOutput output_;       // of the running batch
  int64_t last_steps_ = 0;  // optimizer steps of the last batch; 0: there was none
  bool resumes_ = false;    // the phase is a checkpoint's
  DataUnit unit_;           // of the loader, as it is set for this fit
  MeasuredSize measured_size_;
  std::optional<int64_t> kept_size_;     // what the checkpoint had measured, until a batch has come
  std::optional<int64_t> size_before_;   // of the checkpoint's batches, where it is to be compared
  std::optional<DataUnit> former_unit_;  // of the checkpoint, until the position is converted
  int64_t continues_at_ = -1;            // the batch with which a resumed epoch continues
  std::optional<int64_t> step_of_checkpoint_;  // that filters count by
  bool no_data_ = false;                       // an epoch had no batch at all
  GeneratorMark beginning_;                    // of the batch or the validation that runs
  uint64_t part_ = 0;               // of that batch or validation (grapnel/repeated_part.h)
  std::optional<FitPhase> marked_;  // which of the two
  Progress val_batch_of_beginning_;
  StateDict generators_;  // before what came only because the run ended within the epoch
  bool continues_cut_epoch_ = false;
  bool stop_is_put_off_ = false;  // at the epoch's end, by min_epochs or min_steps
  bool skip_backward_ = false;
  bool gradients_of_batch_ = false;
};

}  // namespace grapnel
