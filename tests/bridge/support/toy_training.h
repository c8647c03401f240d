// A small training for plugins: a module in which every extension has something to show.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include <grapnel/bridge/plugin_callback.h>

#include "../../support/captured_log.h"
#include "../../support/toy.h"

namespace grapnel::test {

// A ToyModule that also has a buffer "seen" (int64, batches trained on), extra outputs, predictions, and an
// SGD with momentum, made by name.
class PluginToyModule final : public ToyModule {
 public:
  PluginToyModule();
  at::Tensor forward(const at::Tensor& x) override;
  StepOutput training_step(Batch& batch, std::int64_t batch_idx) override;
  StepOutput test_step(Batch& batch, std::int64_t batch_idx, std::int64_t) override;
  TensorTree predict_step(Batch& batch, std::int64_t batch_idx, std::int64_t) override;
  OptimizerConfig configure_optimizers() override;

  at::Tensor seen;
};

// Callbacks and options as the tests want them: no sanity check, no checkpoints, no files.
struct Toy {
  Toy();
  TrainerOptions options;
  PluginToyModule module;
  std::shared_ptr<ToyLoader> train = std::make_shared<ToyLoader>(4);
  std::shared_ptr<ToyLoader> val = std::make_shared<ToyLoader>(2);
  std::unique_ptr<Trainer> trainer;  // of the last call

  void fit(std::vector<CallbackHandle> callbacks, const RunOptions& run = {});
  void validate(std::vector<CallbackHandle> callbacks);
  void predict(std::vector<CallbackHandle> callbacks);
};

CallbackHandle as_plugin(std::shared_ptr<bridge::PluginCallback> callback);

}  // namespace grapnel::test
