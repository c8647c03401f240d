// The model of a plan: a backbone (linear, batch normalization, tanh, dropout) and a head. What else
// "model" may say, all of it decided by the number of the batch within its epoch, so that a resumed
// run decides the same:
//
//   optimizers          2: the module steps two optimizers itself, one for each part
//   no_loss_every       training_step gives no loss for every n-th batch
//   skip_batch_every    asks for every n-th batch to be skipped
//   skip_step_every     asks for the optimizer step to be skipped in every n-th batch
//   end_epoch_at        asks for the epoch to end after this batch
//   evaluate_at         asks for a validation after this batch
//   log_more            more metrics, with other reductions and from on_train_epoch_end
//   log_at_batch_end    a metric from on_train_batch_end
//
// Metrics: "loss" (steps), "loss_mean" (epochs), "val_loss" (each loader), "val_mean" (all of them).
#pragma once

#include <grapnel/nn_module.h>

#include <memory>

#include "plan.h"

namespace grapnel::random_test {

class PlannedModel final : public NNModule {
 public:
  // Initial weights depend on LibTorch's default generator.
  explicit PlannedModel(const Plan& plan);

  StepOutput training_step(Batch& batch, int64_t batch_idx) override;
  StepOutput validation_step(Batch& batch, int64_t batch_idx, int64_t dataloader_idx) override;
  OptimizerConfig configure_optimizers() override;

  void on_train_batch_start(TrainBatchStart& event) override;
  void on_before_optimizer_step(OptimizerEvent& event) override;
  void on_train_batch_end(TrainBatchEnd& event) override;
  void on_train_epoch_end(Event& event) override;
  void on_validation_epoch_start(Event& event) override;
  void on_validation_epoch_end(Event& event) override;

 private:
  bool every(const char* key, int64_t batch_idx) const;
  at::Tensor loss_of(Batch& batch);

  const Plan& plan_;
  int64_t batch_idx_ = 0;
  double val_sum_ = 0;
  int64_t val_batches_ = 0;
};

}  // namespace grapnel::random_test
