#include "optim/clip_gradients.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_clamp_max.h>
#include <ATen/ops/_foreach_clamp_min.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/clamp_max.h>
#include <ATen/ops/reciprocal.h>
#include <ATen/ops/stack.h>

#include <vector>

namespace grapnel {

void clip_gradients(Optimizer& optimizer, double clip_val, bool by_norm) {
  if (clip_val <= 0) return;
  std::vector<at::Tensor> grads;
  for (const ParamGroup& group : optimizer.groups()) {
    for (const at::Tensor& param : group.params) {
      if (param.grad().defined()) grads.push_back(param.grad());
    }
  }
  if (grads.empty()) return;
  at::NoGradGuard no_grad;
  if (!by_norm) {
    at::_foreach_clamp_min_(grads, -clip_val);
    at::_foreach_clamp_max_(grads, clip_val);
    return;
  }
  // As torch.nn.utils.clip_grad_norm_: the 2-norm of the parameters' norms, 1e-6 against zero.
  const at::Tensor total = at::stack(at::_foreach_norm(grads, 2)).norm(2);
  const at::Tensor factor = at::clamp_max(clip_val / (total + 1e-6), 1.0);
  at::_foreach_mul_(grads, factor);
}

}  // namespace grapnel
