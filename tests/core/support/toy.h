// A small regression task: y = x w with fixed data, so that every run of it is the same.
#pragma once

#include <ATen/ATen.h>

#include <memory>
#include <string>
#include <utility>

#include "grapnel/optim/adam.h"
#include "grapnel/optim/sgd.h"
#include "grapnel/trainer.h"

namespace grapnel::test {

// Batches of 2 samples with 3 features; sample i is a fixed function of its index.
class ToyLoader : public DataLoader {
 public:
  explicit ToyLoader(int64_t batches, int64_t offset = 0) : batches_(batches), offset_(offset) {}

  std::optional<int64_t> size() const override { return batches_; }
  void start(int64_t epoch) override {
    epoch_ = epoch;
    next_ = 0;
    ++starts;
  }
  std::optional<Batch> next() override {
    if (next_ == batches_) return {};
    const auto i = static_cast<double>(offset_ + next_++ + 7 * epoch_);
    at::Tensor x = at::sin(at::arange(6, at::kDouble) * 0.7 + i).to(at::kFloat).view({2, 3});
    at::Tensor y = x.sum(1, true) * 0.5 + 0.25;
    return Batch({x, y});
  }
  void skip(int64_t batches) override { next_ += batches; }

  int starts = 0;

 private:
  int64_t batches_;
  int64_t offset_;
  int64_t epoch_ = 0;
  int64_t next_ = 0;
};

class ToyModule : public Module {
 public:
  ToyModule() {
    weight = (at::arange(3, at::kFloat) * 0.1).view({3, 1}).set_requires_grad(true);
    bias = at::zeros({1}).set_requires_grad(true);
    view_.add({"weight", weight});
    view_.add({"bias", bias});
  }

  at::Tensor forward(const at::Tensor& x) override { return x.mm(weight) + bias; }
  StepOutput training_step(Batch& batch, int64_t) override {
    at::Tensor loss = (forward(batch[0]) - batch[1]).pow(2).mean();
    if (dropout > 0) loss = at::dropout(loss.expand({8}), dropout, true).mean();
    log("train_loss", loss, {.on_step = true, .on_epoch = true, .prog_bar = true});
    return loss;
  }
  StepOutput validation_step(Batch& batch, int64_t, int64_t) override {
    at::Tensor loss = (forward(batch[0]) - batch[1]).pow(2).mean();
    log("val_loss", loss);
    return loss;
  }
  OptimizerConfig configure_optimizers() override {
    return std::make_shared<Adam>(std::vector<at::Tensor>{weight, bias}, AdamOptions{.lr = 0.05});
  }

  at::Tensor weight;
  at::Tensor bias;
  double dropout = 0;
};

inline Data toy_data(int64_t train = 3, int64_t val = 2) {
  return Data(std::make_shared<ToyLoader>(train),
              DataLoaders{std::make_shared<ToyLoader>(val, /*offset=*/100)});
}

inline TrainerOptions quiet(int64_t max_epochs) {
  TrainerOptions options;
  options.max_epochs = max_epochs;
  options.num_sanity_val_steps = 0;
  options.enable_checkpointing = false;
  options.enable_model_summary = false;
  return options;
}

}  // namespace grapnel::test
