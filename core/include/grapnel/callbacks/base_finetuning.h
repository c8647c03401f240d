// The base of callbacks that freeze parts of a model and unfreeze them during the training.
//
//   class Thaw final : public BaseFinetuning {
//     void freeze_before_training(Module& module) override { freeze(module, {"backbone"}); }
//     void finetune(Module& module, int64_t epoch, Optimizer& optimizer, int64_t) override {
//       if (epoch == 5) unfreeze_and_add_param_group(module, {"backbone"}, optimizer);
//     }
//   };
//
// After Lightning's class of that name. A part is a dotted name, "backbone" or "backbone.2", and
// means every parameter below it; "" is the whole model. Frozen parameters are a lease: a run that
// fails leaves each parameter's requires_grad as it was, and so does a frozen batch normalization
// with its running statistics, which are out of a training step's reach. A run that ends well
// leaves the parameters as the callback last made them.
//
// Otherwise than there: what is frozen is decided at the start of fit alone, not again by validate,
// test and predict; a resumed run keeps trainable what was so when the checkpoint was written;
// parameters are compared by identity, not by value.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "grapnel/callback.h"
#include "grapnel/export.h"
#include "grapnel/lease.h"
#include "grapnel/optimizer.h"

namespace grapnel {

struct UnfreezeOptions {
  std::optional<double> lr = {};   // of the new group; unset: the first group's / initial_denom_lr
  double initial_denom_lr = 10.0;  // not 0; only used without lr
  bool train_bn = true;            // false: the new group has no parameters of batch normalizations
};

class GRAPNEL_CORE_API BaseFinetuning : public Callback {
 public:
  // {"internal_optimizer_metadata": {"<optimizer>": [{option..., "params": [names]}]}: the groups
  // of parameters, "trainable": names, "frozen_norms": names, "finetuned_epoch"}.
  StateDict state_dict() const override;
  void load_state_dict(const StateDict& state) override;

  void setup(StageEvent& event) override;
  // Throws CheckpointError when the optimizers are not those of the checkpoint.
  void on_fit_start(Event& event) override;
  void on_train_epoch_start(Event& event) override;
  void on_train_batch_start(TrainBatchStart& event) override;
  void on_after_optimizer_step(OptimizerEvent& event) override;
  void on_train_batch_end(TrainBatchEnd& event) override;
  void on_train_epoch_end(Event& event) override;
  void on_fit_end(Event& event) override;
  void teardown(StageEvent& event) override;

 protected:
  // Called before configure_optimizers, which may leave out what is frozen.
  virtual void freeze_before_training(Module& module) = 0;
  // Called at the start of every epoch, counted from 0, for every optimizer.
  virtual void finetune(Module& module, int64_t epoch, Optimizer& optimizer,
                        int64_t optimizer_idx) = 0;

  // Freezes the parameters of the parts; with train_bn, batch normalizations are made trainable
  // instead. A frozen batch normalization normalizes by the batch while it trains, and its running
  // statistics don't change. Throws ConfigError for a part that the model lacks.
  void freeze(Module& module, const std::vector<std::string>& parts, bool train_bn = true);
  // The reverse, batch normalizations included.
  void make_trainable(Module& module, const std::vector<std::string>& parts);
  // Makes the parts trainable and adds their parameters to the optimizer as one more group. Those
  // that the optimizer has already stay where they are, with a warning.
  void unfreeze_and_add_param_group(Module& module, const std::vector<std::string>& parts,
                                    Optimizer& optimizer, const UnfreezeOptions& options = {});

  // From setup until the fit starts: it goes on with the groups of a former one.
  bool continues() const { return restored_; }

  void on_disabled() override { statistics_.end(); }

 private:
  // A group of parameters as checkpoints keep it.
  struct SavedGroup {
    std::string name;
    std::map<std::string, double, std::less<>> options;
    std::vector<std::string> params;
  };
  void take_lease(Trainer& trainer, Module& module);
  void restore_groups(Module& module, Optimizer& optimizer, const std::vector<SavedGroup>& saved);
  void note_groups(Module& module, size_t optimizer_idx, const Optimizer& optimizer);
  void note_trainable(Module& module);

  Lease frozen_;      // requires_grad of every parameter
  Lease statistics_;  // of frozen batch normalizations, during a step
  std::set<std::string> frozen_norms_;
  std::vector<std::vector<SavedGroup>> groups_;  // by optimizer
  std::set<std::string> trainable_;              // parameters that are, by name
  int64_t finetuned_epoch_ = -1;                 // the last for which finetune was called
  bool restored_ = false;                        // the above is from a checkpoint, and not yet used
  bool ended_ = false;                           // the fit, well
  const Module* module_ = nullptr;               // of the last fit
};

}  // namespace grapnel
