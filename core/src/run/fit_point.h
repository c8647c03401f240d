// How far a fit is, as checkpoints have it: the phase with what was decided in it.
#pragma once

#include <cstdint>
#include <string_view>

namespace grapnel {

// What fit does now. It moves on to the next phase together with what a phase does, so that a
// checkpoint, whenever it is written, says what is left: a resumed run begins with this phase. Hooks
// that are named here are then called for those alone that have not had the call.
enum class FitPhase : int32_t {
  between_epochs,    // nothing of the next epoch has begun
  epoch_start,       // on_train_epoch_start
  between_batches,   // the last batch is closed, or none has begun
  in_batch,          // from on_train_batch_start to the optimizer's step: done again as a whole
  after_step,        // on_after_optimizer_step, under automatic optimization
  step_schedulers,   // schedulers that step with the optimizer
  epoch_schedulers,  // after the last batch: those that step with the epoch
  batch_end,         // on_train_batch_end
  step_metrics,      // the batch's metrics go to the loggers
  requests,          // requests are granted, and whether to validate is decided
  validation,        // runs, or is about to: done again as a whole
  validation_end,    // on_validation_end
  after_validation,  // requests made in the validation are granted
  batch_closing,     // schedulers per step that look at a metric; the step is counted
  ended_by_request,  // schedulers per epoch, when a request ended the epoch before its data did
  epoch_end,         // on_train_epoch_end
  epoch_closing,     // schedulers per epoch that look at a metric
  epoch_metrics,     // the epoch's metrics go to the loggers
  train_end,         // on_train_end
  complete,          // on_train_end was called
};

std::string_view to_string(FitPhase phase);

// The phase with what was decided in it.
struct FitPoint {
  FitPhase phase = FitPhase::between_epochs;
  // A limit or a stop ended the epoch before its data did: a resumed run trains the rest of it. Set
  // from on_train_epoch_end on.
  bool epoch_cut_short = false;
  bool end_epoch = false;       // granted: the epoch ends with this batch
  bool batch_left_out = false;  // a request in on_train_batch_start ended the epoch
  bool data_ended = false;      // fewer batches came than the loader had said
  bool late_step = false;       // then: the open accumulation window got its step
  bool before_stop = false;     // the validation is one more before an early stop
};

}  // namespace grapnel
