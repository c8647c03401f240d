// Adam and AdamW, with PyTorch's options, defaults and numbers (torch.optim.Adam, AdamW).
//
//   g = grad (-grad to maximize); Adam: g += weight_decay * param
//                                 AdamW: param -= lr * weight_decay * param
//   m = beta1 * m + (1 - beta1) * g
//   v = beta2 * v + (1 - beta2) * g^2            (amsgrad: the largest v so far is used below)
//   param -= lr * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)
//
// Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015; Loshchilov and Hutter,
// "Decoupled Weight Decay Regularization", 2019; amsgrad: Reddi et al., 2018.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "grapnel/export.h"
#include "grapnel/optim/options.h"

namespace grapnel {

class FusedLists;

struct AdamOptions {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0.0;  // L2: added to the gradient
  bool amsgrad = false;
  bool maximize = false;
};

struct AdamWOptions {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 1e-2;  // decoupled: shrinks the parameter itself
  bool amsgrad = false;
  bool maximize = false;
};

// State per parameter: "step", "exp_avg" (m), "exp_avg_sq" (v), with amsgrad "max_exp_avg_sq".
class GRAPNEL_CORE_API Adam : public TableOptimizer {
 public:
  explicit Adam(std::vector<at::Tensor> params, const AdamOptions& options = {});
  explicit Adam(std::vector<ParamGroup> groups, const AdamOptions& options = {});
  ~Adam() override;

  static const OptionsTable<AdamOptions>& options_table();

 protected:
  void update(ParamGroup& group) override;
  void on_state_changed() override;

  enum class WeightDecay { l2, decoupled };
  Adam(const ParameterTable& table, const ConfigValue& options, std::vector<ParamGroup> groups,
       WeightDecay weight_decay);

 private:
  WeightDecay weight_decay_;
  std::unique_ptr<FusedLists> lists_;
};

class GRAPNEL_CORE_API AdamW : public Adam {
 public:
  explicit AdamW(std::vector<at::Tensor> params, const AdamWOptions& options = {});
  explicit AdamW(std::vector<ParamGroup> groups, const AdamWOptions& options = {});

  static const OptionsTable<AdamWOptions>& options_table();
};

}  // namespace grapnel
