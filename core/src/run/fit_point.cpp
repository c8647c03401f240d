#include "run/fit_point.h"

#include "grapnel/base/described.h"

namespace grapnel {

GRAPNEL_DESCRIBE_ENUM(FitPhase, between_epochs, epoch_start, between_batches, in_batch, after_step,
                      step_schedulers, epoch_schedulers, batch_end, step_metrics, requests,
                      validation, validation_end, after_validation, batch_closing, ended_by_request,
                      epoch_end, epoch_closing, epoch_metrics, train_end, complete);

std::string_view to_string(FitPhase phase) {
  return enum_text(phase);
}

}  // namespace grapnel
