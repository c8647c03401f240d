// Trains the head of a model first, then the part "backbone" too, with a learning rate that grows.
//
//   BackboneFinetuning({.unfreeze_backbone_at_epoch = 5, .backbone_initial_ratio_lr = 0.01})
//
// After Lightning's class of that name. At unfreeze_backbone_at_epoch the backbone's parameters
// become one more group of the optimizer; at every epoch after that the group's rate is multiplied
// by lambda_func(epoch + 1), epochs counted from 0. Batch normalizations of the backbone are never
// frozen; train_bn = false leaves them out of the optimizer.
#pragma once

#include <functional>
#include <memory>

#include "grapnel/base/options_table.h"
#include "grapnel/callbacks/base_finetuning.h"

namespace grapnel {

// The same factor at every epoch.
struct ConstantFactor {
  double factor;
  double operator()(int64_t /*epoch*/) const { return factor; }
};

struct BackboneFinetuningOptions {
  int64_t unfreeze_backbone_at_epoch = 10;  // from 0
  // Factor on the backbone's rate, of the epoch; above 0.
  std::function<double(int64_t)> lambda_func = ConstantFactor{2.0};
  double backbone_initial_ratio_lr = 0.1;          // of the first group's rate
  std::optional<double> backbone_initial_lr = {};  // instead of the ratio
  bool should_align = true;                        // never above the first group's rate
  double initial_denom_lr = 10.0;                  // taken for compatibility, without effect
  bool train_bn = true;
  bool verbose = false;   // log both rates at every epoch
  int64_t rounding = 12;  // digits after the point in those logs
};

class GRAPNEL_CORE_API BackboneFinetuning final : public BaseFinetuning {
 public:
  // The part of the model that is meant.
  static constexpr const char* kPart = "backbone";

  // Throws ConfigError for an option out of range.
  explicit BackboneFinetuning(BackboneFinetuningOptions options = {});

  static const OptionsTable<BackboneFinetuningOptions>& options_table();

  // The base's, and {"previous_backbone_lr": number or null}.
  StateDict state_dict() const override;
  void load_state_dict(const StateDict& state) override;
  void setup(StageEvent& event) override;

  // The backbone's rate as last set here; nothing before it is unfrozen.
  const std::optional<double>& previous_backbone_lr() const { return previous_backbone_lr_; }

 protected:
  // Throws ConfigError when the model has no part "backbone" with parameters.
  void freeze_before_training(Module& module) override;
  void finetune(Module& module, int64_t epoch, Optimizer& optimizer,
                int64_t optimizer_idx) override;

 private:
  void report(double first_lr) const;

  BackboneFinetuningOptions options_;
  std::optional<double> previous_backbone_lr_;
};

}  // namespace grapnel
