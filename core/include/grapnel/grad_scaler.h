// Keeps float16 gradients from vanishing: the loss is multiplied by a scale before the backward
// pass, the gradients are divided by it before anybody looks at them.
//
// Gradients that overflowed show that the scale is too large: that optimizer step is skipped and
// the scale lowered; after many good steps in a row it is raised. The arithmetic and the defaults
// are those of torch.amp.GradScaler (Micikevicius et al., Mixed Precision Training, 2018).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "grapnel/export.h"
#include "grapnel/optimizer.h"
#include "grapnel/state_dict.h"

namespace grapnel {

struct GradScalerOptions {
  double init_scale = 65536.0;     // above 0
  double growth_factor = 2.0;      // above 1
  double backoff_factor = 0.5;     // in (0, 1)
  int64_t growth_interval = 2000;  // steps without overflow before the scale grows; at least 1
};

class GRAPNEL_CORE_API GradScaler {
 public:
  // device: of the gradients. Throws ConfigError for an option out of range.
  explicit GradScaler(const at::Device& device, const GradScalerOptions& options = {});

  at::Tensor scale(const at::Tensor& loss) const;

  // Divides the gradients of an optimizer's parameters by the scale and looks whether all of them
  // are finite. Throws ConfigError for float16 gradients: the parameters must be float32.
  void unscale(Optimizer& optimizer);

  // Whether the last unscale met a gradient that is not finite. Waits for the device.
  bool found_inf() const;

  // Once after each step, made or skipped: the scale of the next one.
  void update();

  // Waits for the device.
  double current_scale() const;

  // {"scale", "growth_factor", "backoff_factor", "growth_interval", "growth_tracker"}.
  StateDict state_dict() const;
  // Throws CheckpointError, having changed nothing, for values out of range.
  void load_state_dict(const StateDict& state);

 private:
  GradScalerOptions options_;
  at::Tensor scale_;           // float32 scalar on the device, as are the next two
  at::Tensor growth_tracker_;  // int32: good steps since the scale changed
  at::Tensor found_inf_;       // 1 when a gradient was not finite
};

}  // namespace grapnel
