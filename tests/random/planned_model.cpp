#include "planned_model.h"

#include <ATen/ATen.h>
#include <grapnel/lr_schedulers/registry.h>
#include <grapnel/observed.h>
#include <grapnel/optim/registry.h>
#include <grapnel/trainer.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/dropout.h>
#include <torch/nn/modules/linear.h>

#include "planned_data.h"

namespace grapnel::random_test {

namespace {

struct Backbone : torch::nn::Module {
  explicit Backbone(const Plan& plan) {
    const int64_t hidden = plan.integer("model.hidden", 4);
    linear = register_module("linear", Observed<torch::nn::Linear>(kFeatures, hidden));
    if (plan.flag("model.batch_norm")) {
      norm = register_module("norm", Observed<torch::nn::BatchNorm1d>(hidden));
    }
    const double share = plan.number("model.dropout", 0);
    if (share > 0) dropout = register_module("dropout", Observed<torch::nn::Dropout>(share));
  }

  Observed<torch::nn::Linear> linear{nullptr};
  Observed<torch::nn::BatchNorm1d> norm{nullptr};
  Observed<torch::nn::Dropout> dropout{nullptr};
};

struct Network : torch::nn::Module {
  explicit Network(const Plan& plan) {
    backbone = register_module("backbone", std::make_shared<Backbone>(plan));
    head = register_module("head", Observed<torch::nn::Linear>(plan.integer("model.hidden", 4), 1));
  }

  at::Tensor forward(const at::Tensor& input) {
    at::Tensor x = backbone->linear->forward(input);
    if (!backbone->norm.is_empty()) x = backbone->norm->forward(x);
    x = at::tanh(x);
    if (!backbone->dropout.is_empty()) x = backbone->dropout->forward(x);
    return head->forward(x);
  }

  std::shared_ptr<Backbone> backbone;
  Observed<torch::nn::Linear> head{nullptr};
};

}  // namespace

PlannedModel::PlannedModel(const Plan& plan)
    : NNModule(std::make_shared<Network>(plan)), plan_(plan) {
  automatic_optimization = !plan.has("model.optimizers");
}

bool PlannedModel::every(const char* key, int64_t batch_idx) const {
  const int64_t n = plan_.integer(key, 0);
  return n > 0 && batch_idx % n == n - 1;
}

at::Tensor PlannedModel::loss_of(Batch& batch) {
  return (forward(batch[0]) - batch[1]).pow(2).mean();
}

StepOutput PlannedModel::training_step(Batch& batch, int64_t batch_idx) {
  if (every("model.no_loss_every", batch_idx)) return std::nullopt;
  const at::Tensor loss = loss_of(batch);
  log("loss", loss, {.on_step = true, .on_epoch = false});
  log("loss_mean", loss, {.on_step = false, .on_epoch = true});
  if (plan_.flag("model.log_more")) {
    log("loss_both", loss, {.on_step = true, .on_epoch = true, .prog_bar = true});
    log("loss_max", loss, {.on_step = false, .on_epoch = true, .reduce = Reduce::max});
    log("batches", 1, {.on_step = false, .on_epoch = true, .reduce = Reduce::sum});
  }
  if (automatic_optimization) return loss;
  manual_backward(loss);
  for (size_t i = 0; i < trainer().optimizers().size(); ++i) {
    optimizers(i).step();
    optimizers(i).zero_grad();
  }
  return loss;
}

StepOutput PlannedModel::validation_step(Batch& batch, int64_t /*batch_idx*/,
                                         int64_t /*dataloader_idx*/) {
  const at::Tensor loss = loss_of(batch);
  log("val_loss", loss);
  val_sum_ += loss.item<double>();
  ++val_batches_;
  return loss;
}

OptimizerConfig PlannedModel::configure_optimizers() {
  const ConfigValue* named = plan_.document.find("optimizer");
  const auto made = [&](std::string_view part) {
    std::vector<at::Tensor> parameters;
    for (const StateEntry& entry : state_view().parameters()) {
      if (entry.tensor.requires_grad() && entry.name.starts_with(part)) {
        parameters.push_back(entry.tensor);
      }
    }
    return make_optimizer(named == nullptr ? ConfigValue("SGD") : *named, "optimizer",
                          one_group(std::move(parameters)));
  };
  if (!automatic_optimization) {
    OptimizerConfig config;
    config.optimizers = {made("backbone"), made("head")};
    return config;
  }
  OptimizerConfig config = made("");
  if (const ConfigValue* scheduler = plan_.document.find("scheduler")) {
    config.schedulers.push_back(
        make_scheduler_config(*scheduler, "scheduler", config.optimizers[0]));
  }
  return config;
}

void PlannedModel::on_train_batch_start(TrainBatchStart& event) {
  batch_idx_ = event.batch_idx;
  if (every("model.skip_batch_every", event.batch_idx)) {
    event.trainer.request(RequestKind::skip_batch, "the plan skips it");
  }
}

void PlannedModel::on_before_optimizer_step(OptimizerEvent& event) {
  if (every("model.skip_step_every", batch_idx_)) {
    event.trainer.request(RequestKind::skip_step, "the plan skips it");
  }
}

void PlannedModel::on_train_batch_end(TrainBatchEnd& event) {
  if (event.batch_idx == plan_.integer("model.end_epoch_at", -1)) {
    event.trainer.request(RequestKind::end_epoch, "the plan ends it here");
  }
  if (event.batch_idx == plan_.integer("model.evaluate_at", -1)) {
    event.trainer.request(RequestKind::evaluate, "the plan validates here");
  }
  if (plan_.flag("model.log_at_batch_end")) log("end_idx", event.batch_idx);
}

void PlannedModel::on_train_epoch_end(Event& event) {
  if (plan_.flag("model.log_more")) log("epochs_seen", event.trainer.current_epoch() + 1);
}

void PlannedModel::on_validation_epoch_start(Event& /*event*/) {
  val_sum_ = 0;
  val_batches_ = 0;
}

void PlannedModel::on_validation_epoch_end(Event& /*event*/) {
  if (val_batches_ > 0) log("val_mean", val_sum_ / static_cast<double>(val_batches_));
}

}  // namespace grapnel::random_test
