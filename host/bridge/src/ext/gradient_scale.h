// Whether gradients are unscaled at this point of the run.
//
// Under precision 16-mixed the loss of each backward pass is multiplied by a scale. The trainer
// unscales the gradients of the stepping optimizer just before on_before_optimizer_step; if one
// overflowed, its value is lost and the step will be skipped.
#pragma once

#include <grapnel/grad_scaler.h>

#include "../instance_host.h"

namespace grapnel::bridge {

// scaler: the trainer's; nullptr when losses aren't scaled. Waits for the scaler's device.
inline bool gradients_have_true_scale(const GradScaler* scaler, const Call& call) {
  if (scaler == nullptr) return true;
  return !call.custom && call.hook == Hook::on_before_optimizer_step && !scaler->found_inf();
}

}  // namespace grapnel::bridge
