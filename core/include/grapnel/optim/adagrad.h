// Adagrad, with PyTorch's options, defaults and numbers (torch.optim.Adagrad).
//
//   g = grad (-grad to maximize) + weight_decay * param
//   sum += g^2
//   param -= lr / (1 + (t - 1) * lr_decay) * g / (sqrt(sum) + eps)
//
// Duchi, Hazan and Singer, "Adaptive Subgradient Methods", 2011.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "grapnel/export.h"
#include "grapnel/optim/options.h"

namespace grapnel {

class FusedLists;

struct AdagradOptions {
  double lr = 1e-2;
  double lr_decay = 0.0;
  double weight_decay = 0.0;               // L2: added to the gradient
  double initial_accumulator_value = 0.0;  // sum before the first step
  double eps = 1e-10;
  bool maximize = false;
};

// State per parameter: "step", "sum".
class GRAPNEL_CORE_API Adagrad : public TableOptimizer {
 public:
  explicit Adagrad(std::vector<at::Tensor> params, const AdagradOptions& options = {});
  explicit Adagrad(std::vector<ParamGroup> groups, const AdagradOptions& options = {});
  ~Adagrad() override;

  static const OptionsTable<AdagradOptions>& options_table();

 protected:
  void update(ParamGroup& group) override;
  void on_state_changed() override;

 private:
  std::unique_ptr<FusedLists> lists_;
};

}  // namespace grapnel
