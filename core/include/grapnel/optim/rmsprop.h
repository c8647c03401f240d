// RMSprop, with PyTorch's options, defaults and numbers (torch.optim.RMSprop).
//
//   g = grad (-grad to maximize) + weight_decay * param
//   v = alpha * v + (1 - alpha) * g^2
//   centered: a = alpha * a + (1 - alpha) * g, and v is v - a^2 below
//   momentum: buf = momentum * buf + g / (sqrt(v) + eps);  param -= lr * buf
//   else:     param -= lr * g / (sqrt(v) + eps)
//
// Hinton's lecture notes, 2012; centered: Graves, "Generating Sequences With Recurrent Neural
// Networks", 2013.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "grapnel/export.h"
#include "grapnel/optim/options.h"

namespace grapnel {

class FusedLists;

struct RMSpropOptions {
  double lr = 1e-2;
  double alpha = 0.99;  // decay of the mean of squares
  double eps = 1e-8;
  double weight_decay = 0.0;  // L2: added to the gradient
  double momentum = 0.0;
  bool centered = false;
  bool maximize = false;
};

// State per parameter: "step", "square_avg" (v), with momentum "momentum_buffer", centered
// "grad_avg" (a).
class GRAPNEL_CORE_API RMSprop : public TableOptimizer {
 public:
  explicit RMSprop(std::vector<at::Tensor> params, const RMSpropOptions& options = {});
  explicit RMSprop(std::vector<ParamGroup> groups, const RMSpropOptions& options = {});
  ~RMSprop() override;

  static const OptionsTable<RMSpropOptions>& options_table();

 protected:
  void update(ParamGroup& group) override;
  void on_state_changed() override;

 private:
  std::unique_ptr<FusedLists> lists_;
};

}  // namespace grapnel
