// A small training for the bridge's tests: y = x w + b on fixed data, a second of nothing. Its parts can
// be told to fail, to log, to have a prediction, so that every extension has something to show.
#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <grapnel/base/log.h>
#include <grapnel/bridge/plugin_callback.h>
#include <grapnel/trainer.h>

namespace grapnel::test {

// Batches of 2 samples with 3 features, "x" [2, 3] and "y" [2, 1], with sample indices. The data set is one
// tensor, and a batch is a view of it, as a loader without shuffling gives it.
class ToyLoader final : public DataLoader {
 public:
  explicit ToyLoader(std::int64_t batches);
  std::optional<std::int64_t> size() const override { return batches_; }
  void start(std::int64_t) override { next_ = 0; }
  std::optional<Batch> next() override;

  at::Tensor x, y;  // the whole data set

 private:
  std::int64_t batches_;
  std::int64_t next_ = 0;
};

// Parameters "weight" [3, 1] and "bias" [1], a buffer "seen" (int64, batches trained on).
class ToyModule final : public Module {
 public:
  ToyModule();
  at::Tensor forward(const at::Tensor& x) override;
  StepOutput training_step(Batch& batch, std::int64_t batch_idx) override;
  StepOutput validation_step(Batch& batch, std::int64_t batch_idx, std::int64_t) override;
  StepOutput test_step(Batch& batch, std::int64_t batch_idx, std::int64_t) override;
  TensorTree predict_step(Batch& batch, std::int64_t batch_idx, std::int64_t) override;
  OptimizerConfig configure_optimizers() override;
  std::optional<double> flops_per_batch() const override { return flops; }

  at::Tensor weight, bias, seen;
  std::optional<double> flops;
  // Called in each step, for what a test wants to see or break: (stage, batch).
  std::function<void(const std::string& stage, Batch& batch)> during_step;
};

// Callbacks and options as the tests want them: no sanity check, no checkpoints, no files.
struct Toy {
  Toy();
  TrainerOptions options;
  ToyModule module;
  std::shared_ptr<ToyLoader> train = std::make_shared<ToyLoader>(4);
  std::shared_ptr<ToyLoader> val = std::make_shared<ToyLoader>(2);
  std::unique_ptr<Trainer> trainer;  // of the last call

  void fit(std::vector<CallbackHandle> callbacks, const RunOptions& run = {});
  void validate(std::vector<CallbackHandle> callbacks);
  void predict(std::vector<CallbackHandle> callbacks);
};

CallbackHandle as_plugin(std::shared_ptr<bridge::PluginCallback> callback);

// Everything that is logged while it lives.
class CapturedLog {
 public:
  CapturedLog();
  ~CapturedLog();
  std::vector<std::string> lines() const;
  // All lines, a line break after each; "warning: text".
  std::string text() const;
  // How many lines contain the text.
  int count(const std::string& text) const;

 private:
  class Sink;
  std::shared_ptr<Sink> sink_;
  ScopedLogSink scope_;
};

}  // namespace grapnel::test
