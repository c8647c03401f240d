// One optimization step: training_step, zero_grad, backward, the hooks between them, the update.
#pragma once

#include <cstdint>

#include "grapnel/batch.h"
#include "grapnel/optimizer.h"

namespace grapnel {

class Run;

// Stands in where configure_optimizers returned none: runs the closure and updates nothing.
class NoOptimizer final : public Optimizer {
 public:
  std::string type_name() const override { return "NoOptimizer"; }

 protected:
  const std::map<std::string, double, std::less<>>& defaults() const override;
  void update(ParamGroup&) override {}
};

// Automatic optimization of one batch; the result's loss is detached and divided by the accumulation.
StepOutput optimize_automatically(Run& run, Batch& batch, int64_t batch_idx);

// Manual optimization: the module does everything itself in training_step.
StepOutput optimize_manually(Run& run, Batch& batch, int64_t batch_idx);

// backward with its hooks; for both kinds.
void backward_with_hooks(Run& run, const at::Tensor& loss);

// Scales the gradients of an optimizer's parameters so that their total norm is at most clip_val, or
// clamps each into [-clip_val, clip_val]. Does nothing when clip_val is not above 0.
void clip_gradients(Optimizer& optimizer, double clip_val, bool by_norm);

}  // namespace grapnel
