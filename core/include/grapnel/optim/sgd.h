// Stochastic gradient descent, with PyTorch's options, defaults and numbers (torch.optim.SGD).
//
//   g = grad (-grad to maximize) + weight_decay * param
//   buf = g at the first step, else momentum * buf + (1 - dampening) * g
//   param -= lr * (nesterov ? g + momentum * buf : momentum ? buf : g)
//
// Momentum: Sutskever et al., "On the importance of initialization and momentum in deep learning",
// 2013, in PyTorch's form, where lr multiplies the buffer.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "grapnel/export.h"
#include "grapnel/optim/options.h"

namespace grapnel {

class FusedLists;

struct SGDOptions {
  double lr = 1e-3;
  double momentum = 0.0;
  double dampening = 0.0;
  double weight_decay = 0.0;  // L2: added to the gradient
  bool nesterov = false;      // needs a momentum and no dampening
  bool maximize = false;
};

// State per parameter: "momentum_buffer", when there is a momentum.
class GRAPNEL_CORE_API SGD : public TableOptimizer {
 public:
  explicit SGD(std::vector<at::Tensor> params, const SGDOptions& options = {});
  explicit SGD(std::vector<ParamGroup> groups, const SGDOptions& options = {});
  ~SGD() override;

  static const OptionsTable<SGDOptions>& options_table();

 protected:
  void validate(const ParamGroup& group) const override;
  void update(ParamGroup& group) override;
  void on_state_changed() override;

 private:
  std::unique_ptr<FusedLists> lists_;
};

}  // namespace grapnel
