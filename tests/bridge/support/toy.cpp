#include "toy.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/zeros.h>

#include <utility>

#include <grapnel/optim/registry.h>

namespace grapnel::test {

ToyLoader::ToyLoader(std::int64_t batches) : batches_(batches) {
  x = at::sin(at::arange(6 * batches, at::kDouble) * 0.7).to(at::kFloat).view({2 * batches, 3});
  y = x.sum(1, true) * 0.5 + 0.25;
}

std::optional<Batch> ToyLoader::next() {
  if (next_ == batches_) return {};
  const std::int64_t first = 2 * next_++;
  Batch batch({x.slice(0, first, first + 2), y.slice(0, first, first + 2)}, {"x", "y"});
  batch.sample_indices = {first, first + 1};
  return batch;
}

ToyModule::ToyModule() {
  weight = (at::arange(3, at::kFloat) * 0.1).view({3, 1}).set_requires_grad(true);
  bias = at::zeros({1}).set_requires_grad(true);
  seen = at::zeros({}, at::kLong);
  view_.add({"weight", weight});
  view_.add({"bias", bias});
  view_.add({"seen", seen, /*is_parameter=*/false});
}

at::Tensor ToyModule::forward(const at::Tensor& input) {
  if (input.dim() == 2 && input.is_floating_point()) return input.mm(weight) + bias;
  return input;
}

StepOutput ToyModule::training_step(Batch& batch, std::int64_t) {
  if (during_step) during_step("train", batch);
  {
    at::NoGradGuard no_grad;
    seen.add_(1);
  }
  const at::Tensor prediction = forward(batch[0]);
  StepOutput output = (prediction - batch[1]).pow(2).mean();
  output.extras = {{"prediction", prediction.detach()}};
  log("train_loss", output.loss.detach());
  return output;
}

StepOutput ToyModule::validation_step(Batch& batch, std::int64_t, std::int64_t) {
  if (during_step) during_step("validate", batch);
  const at::Tensor loss = (forward(batch[0]) - batch[1]).pow(2).mean();
  log("val_loss", loss);
  return loss;
}

StepOutput ToyModule::test_step(Batch& batch, std::int64_t, std::int64_t) {
  if (during_step) during_step("test", batch);
  return (forward(batch[0]) - batch[1]).pow(2).mean();
}

TensorTree ToyModule::predict_step(Batch& batch, std::int64_t, std::int64_t) {
  if (during_step) during_step("predict", batch);
  TensorTree tree;
  tree.children = {{"output", forward(batch[0])}, {"input", batch[0]}};
  return tree;
}

OptimizerConfig ToyModule::configure_optimizers() {
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

class CapturedLog::Sink final : public LogSink {
 public:
  void write(LogLevel level, std::string_view text) override {
    const std::lock_guard lock(mutex);
    lines.push_back(std::string(to_string(level)) + ": " + std::string(text));
  }
  std::mutex mutex;
  std::vector<std::string> lines;
};

CapturedLog::CapturedLog() : sink_(std::make_shared<Sink>()), scope_(sink_) {}
CapturedLog::~CapturedLog() = default;

std::vector<std::string> CapturedLog::lines() const {
  const std::lock_guard lock(sink_->mutex);
  return sink_->lines;
}

std::string CapturedLog::text() const {
  std::string all;
  for (const std::string& line : lines()) all += line + "\n";
  return all;
}

int CapturedLog::count(const std::string& text) const {
  int found = 0;
  for (const std::string& line : lines()) found += line.find(text) != std::string::npos ? 1 : 0;
  return found;
}

}  // namespace grapnel::test
