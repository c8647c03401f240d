// What callbacks add to the loss of one backward pass, in on_before_backward:
//
//   void on_before_backward(BackwardEvent& event) override {
//     at::AutoGradMode grad(true);
//     event.terms->add("l2", 1e-4 * weight.square().sum());
//   }
//
// The gradients are those of loss + terms. Like the loss, the terms are divided by
// accumulate_grad_batches and, under precision 16-mixed, multiplied by the scale. The loss that
// training_step returned, and that is logged, stays without them.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string_view>
#include <utility>

#include "grapnel/export.h"

namespace grapnel {

class GRAPNEL_CORE_API LossTerms {
 public:
  explicit LossTerms(at::Tensor step_loss) : step_loss_(std::move(step_loss)) {}

  // The loss that the module returned, neither divided nor scaled, with its graph: a term may be
  // made of it.
  const at::Tensor& step_loss() const { return step_loss_; }

  // term: a floating-point tensor with one element, on the loss's device, with a graph. Its value is
  // read, which waits for the device. Throws ConfigError naming the term when it isn't that, or is
  // not finite.
  void add(std::string_view name, const at::Tensor& term);

  // Their sum in the loss's shape; undefined: there are none.
  const at::Tensor& sum() const { return sum_; }

 private:
  at::Tensor step_loss_;
  at::Tensor sum_;
};

}  // namespace grapnel
