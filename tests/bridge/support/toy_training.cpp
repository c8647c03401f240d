#include "toy_training.h"

#include <ATen/core/grad_mode.h>

#include <utility>

#include <grapnel/optim/registry.h>

namespace grapnel::test {

PluginToyModule::PluginToyModule() {
  seen = at::zeros({}, at::kLong);
  view_.add({"seen", seen, /*is_parameter=*/false});
  train_loss_options = {};
}

at::Tensor PluginToyModule::forward(const at::Tensor& input) {
  if (input.dim() == 2 && input.is_floating_point()) return ToyModule::forward(input);
  return input;
}

StepOutput PluginToyModule::training_step(Batch& batch, std::int64_t batch_idx) {
  StepOutput output = ToyModule::training_step(batch, batch_idx);
  const at::NoGradGuard no_grad;
  seen.add_(1);
  output.extras = {{"prediction", forward(batch[0])}};
  return output;
}

StepOutput PluginToyModule::test_step(Batch& batch, std::int64_t, std::int64_t) {
  if (during_step) during_step("test", batch);
  return loss_of(batch);
}

TensorTree PluginToyModule::predict_step(Batch& batch, std::int64_t, std::int64_t) {
  if (during_step) during_step("predict", batch);
  TensorTree tree;
  tree.children = {{"output", forward(batch[0])}, {"input", batch[0]}};
  return tree;
}

OptimizerConfig PluginToyModule::configure_optimizers() {
  OptimizerConfig config;
  config.optimizers = {
      make_optimizer(parse_json(R"({"name": "SGD", "lr": 0.05, "momentum": 0.9})", "toy"),
                     "optimizer", one_group({weight, bias}))};
  return config;
}

Toy::Toy() {
  options.max_epochs = 1;
  options.num_sanity_val_steps = 0;
  options.enable_checkpointing = false;
}

void Toy::fit(std::vector<CallbackHandle> callbacks, const RunOptions& run) {
  trainer = std::make_unique<Trainer>(options, std::move(callbacks));
  trainer->fit(module, Data(train, DataLoaders{val}), run);
}

void Toy::validate(std::vector<CallbackHandle> callbacks) {
  trainer = std::make_unique<Trainer>(options, std::move(callbacks));
  trainer->validate(module, Data(DataLoaders{val}));
}

void Toy::predict(std::vector<CallbackHandle> callbacks) {
  trainer = std::make_unique<Trainer>(options, std::move(callbacks));
  trainer->predict(module, Data(DataLoaders{val}));
}

CallbackHandle as_plugin(std::shared_ptr<bridge::PluginCallback> callback) {
  return {std::move(callback), CallbackOrigin::plugin, "a test"};
}

}  // namespace grapnel::test
