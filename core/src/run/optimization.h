// One optimization step: training_step, zero_grad, backward, the hooks between them, the update.
#pragma once

#include <cstdint>

#include "grapnel/batch.h"
#include "grapnel/optimizer.h"

namespace grapnel {

class GradScaler;
class Run;

// Used when configure_optimizers returned none: runs the closure and updates nothing.
class NoOptimizer final : public Optimizer {
 public:
  std::string type_name() const override { return "NoOptimizer"; }

 protected:
  const std::map<std::string, double, std::less<>>& defaults() const override;
  void update(ParamGroup&) override {}
};

// Automatic optimization of one batch; the result's loss is detached and divided by the
// accumulation.
StepOutput optimize_automatically(Run& run, Batch& batch, int64_t batch_idx);

// For a skipped batch: if an accumulation window ends with it, the optimizer steps with the
// gradients of the window's other batches.
void step_without_batch(Run& run, int64_t batch_idx);

// Manual optimization: the module does everything itself in training_step.
StepOutput optimize_manually(Run& run, Batch& batch, int64_t batch_idx);

// The gradient scaler's part in one step of an optimizer; without one nothing happens.
class ScaledStep {
 public:
  // Throws ConfigError for an optimizer that can't be used with a scaler.
  ScaledStep(Run& run, Optimizer& optimizer);
  // Before any hook sees the gradients. has_gradients: there was a backward pass.
  void unscale(bool has_gradients);
  // There was none, or the gradients overflowed.
  bool must_skip() const;
  // After the step, made or skipped.
  void finish();

 private:
  GradScaler* scaler_;
  Optimizer& optimizer_;
  bool has_gradients_ = false;
};

// backward with its hooks; for both kinds. Under 16-mixed the loss is scaled first. step_loss: the
// module's own; loss and terms that callbacks add are to be divided by the divisor, and loss is.
void backward_with_hooks(Run& run, const at::Tensor& loss, const at::Tensor& step_loss,
                         int64_t divisor);

}  // namespace grapnel
