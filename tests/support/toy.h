// The training that the tests of core, the bridge and the plugins share: y = x w + b on fixed data, the
// same in every run.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <grapnel/optim/adam.h>
#include <grapnel/optim/sgd.h>
#include <grapnel/trainer.h>

namespace grapnel::test {

// Batches of 2 samples, "x" [2, 3] and "y" [2, 1], with sample indices. An epoch's data is one tensor, and a
// batch is a view of it, as a loader without shuffling gives it. Each epoch has its own data.
class ToyLoader : public DataLoader {
 public:
  // offset: shifts the data, to tell loaders apart.
  explicit ToyLoader(std::int64_t batches, std::int64_t offset = 0)
      : batches_(batches), offset_(offset) {
    make_epoch(0);
  }

  std::optional<std::int64_t> size() const override { return batches_; }
  void start(std::int64_t epoch) override {
    if (epoch != epoch_) make_epoch(epoch);
    next_ = 0;
    ++starts;
  }
  std::optional<Batch> next() override {
    if (next_ == batches_) return {};
    const std::int64_t first = 2 * next_++;
    Batch batch({x.slice(0, first, first + 2), y.slice(0, first, first + 2)}, {"x", "y"});
    if (indices) batch.sample_indices = {first, first + 1};
    return batch;
  }
  void skip(std::int64_t batches) override { next_ += batches; }

  at::Tensor x, y;      // the epoch's data, [2 batches, 3] and [2 batches, 1]
  bool indices = true;  // whether batches have sample indices
  int starts = 0;

 private:
  void make_epoch(std::int64_t epoch) {
    epoch_ = epoch;
    const at::Tensor shift = at::arange(batches_, at::kDouble) + (offset_ + 7 * epoch);
    x = at::sin(at::arange(6, at::kDouble) * 0.7 + shift.unsqueeze(1)).to(at::kFloat).view({-1, 3});
    y = x.sum(1, true) * 0.5 + 0.25;
  }

  std::int64_t batches_;
  std::int64_t offset_;
  std::int64_t epoch_ = 0;
  std::int64_t next_ = 0;
};

// Parameters "weight" [3, 1] and "bias" [1], trained by Adam.
class ToyModule : public Module {
 public:
  ToyModule() {
    weight = (at::arange(3, at::kFloat) * 0.1).view({3, 1}).set_requires_grad(true);
    bias = at::zeros({1}).set_requires_grad(true);
    view_.add({"weight", weight});
    view_.add({"bias", bias});
  }

  at::Tensor forward(const at::Tensor& x) override { return x.mm(weight) + bias; }
  StepOutput training_step(Batch& batch, std::int64_t) override {
    if (during_step) during_step("train", batch);
    at::Tensor loss = loss_of(batch);
    if (dropout > 0) loss = at::dropout(loss.expand({8}), dropout, true).mean();
    log("train_loss", loss, train_loss_options);
    return loss;
  }
  StepOutput validation_step(Batch& batch, std::int64_t, std::int64_t) override {
    if (during_step) during_step("validate", batch);
    at::Tensor loss = loss_of(batch);
    log("val_loss", loss);
    return loss;
  }
  OptimizerConfig configure_optimizers() override {
    return std::make_shared<Adam>(std::vector<at::Tensor>{weight, bias}, AdamOptions{.lr = 0.05});
  }
  std::optional<double> flops_per_batch() const override { return flops; }

  at::Tensor weight, bias;
  double dropout = 0;
  std::optional<double> flops;
  LogOptions train_loss_options = {.on_step = true, .on_epoch = true, .prog_bar = true};
  // Called in each step, for what a test wants to see or break: (stage, batch).
  std::function<void(const std::string& stage, Batch& batch)> during_step;

 protected:
  at::Tensor loss_of(Batch& batch) { return (forward(batch[0]) - batch[1]).pow(2).mean(); }
};

inline Data toy_data(std::int64_t train = 3, std::int64_t val = 2) {
  return Data(std::make_shared<ToyLoader>(train),
              DataLoaders{std::make_shared<ToyLoader>(val, /*offset=*/100)});
}

// Neither a sanity check nor checkpoints nor a summary.
inline TrainerOptions quiet(std::int64_t max_epochs) {
  TrainerOptions options;
  options.max_epochs = max_epochs;
  options.num_sanity_val_steps = 0;
  options.enable_checkpointing = false;
  options.enable_model_summary = false;
  return options;
}

}  // namespace grapnel::test
