// Classifier: the base of the ready models for classes.
//
// Trains on batches of (input [N, ...], class [N] int64) with cross entropy and logs train_loss,
// val_loss, val_acc, test_loss and test_acc; predict_step gives the scores [N, C].
#pragma once

#include <string>
#include <utility>

#include "grapnel/base/json.h"
#include "grapnel/base/options_table.h"
#include "grapnel/export.h"
#include "grapnel/nn_module.h"

namespace grapnel {

// How a model is optimized, in the form of run.json (optim/registry.h, lr_schedulers/registry.h).
struct ClassifierOptions {
  ConfigValue optimizer = "Adam";
  ConfigValue scheduler = {};  // null: none
};

class GRAPNEL_CORE_API Classifier : public NNModule {
 public:
  StepOutput training_step(Batch& batch, int64_t batch_idx) override;
  StepOutput validation_step(Batch& batch, int64_t batch_idx, int64_t dataloader_idx) override;
  StepOutput test_step(Batch& batch, int64_t batch_idx, int64_t dataloader_idx) override;
  OptimizerConfig configure_optimizers() override;
  // Throws DataError when the data of a TensorDataModule don't fit an MLP or a CNN: the size of the
  // input, or a class that it doesn't have.
  void setup(StageEvent& event) override;

  // "lr" and "learning_rate": the rate of the next configure_optimizers.
  double* number_attribute(const std::string& name) override;

 protected:
  // Throws ConfigError when the optimizer's configuration is not acceptable.
  template <class Network>
  Classifier(Network network, ClassifierOptions options) : NNModule(std::move(network)) {
    set_options(std::move(options));
  }

 private:
  void set_options(ClassifierOptions options);
  ClassifierOptions options_;
  double lr_ = 0.0;
};

}  // namespace grapnel
