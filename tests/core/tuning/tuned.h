// A module and data whose learning rate and batch size a tuner can set, and that fail when told to.
#pragma once

#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "../support/recorder.h"
#include "../support/scripted.h"
#include "grapnel/data/tensor_loader.h"

namespace grapnel::test {

class TunedModule : public ToyModule {
 public:
  StepOutput training_step(Batch& batch, int64_t index) override {
    note(batch);
    noise.push_back(at::rand({1}).item<double>());
    return ToyModule::training_step(batch, index);
  }
  StepOutput test_step(Batch& batch, int64_t, int64_t) override {
    note(batch);
    return {};
  }
  TensorTree predict_step(Batch& batch, int64_t, int64_t) override {
    note(batch);
    return forward(batch[0]);
  }
  OptimizerConfig configure_optimizers() override {
    return std::make_shared<Adam>(std::vector<at::Tensor>{weight, bias}, AdamOptions{.lr = lr});
  }
  double* number_attribute(const std::string& name) override {
    return name == "lr" ? &lr : nullptr;
  }

  // Both parameters as numbers.
  std::vector<double> state() const {
    std::vector<double> values;
    for (const at::Tensor& tensor : {weight, bias}) {
      for (int64_t i = 0; i < tensor.numel(); ++i) {
        values.push_back(tensor.detach().view({-1})[i].item<double>());
      }
    }
    return values;
  }

  double lr = 0.01;
  std::optional<int64_t> largest;  // batches above it don't fit
  int64_t fails_at = -1;           // the step that fails, counted over all
  int64_t interrupts_at = -1;
  std::vector<int64_t> sizes;  // of the batches seen
  std::vector<double> noise;   // drawn in each training step

 private:
  void note(const Batch& batch) {
    const auto step = static_cast<int64_t>(sizes.size());
    sizes.push_back(batch.batch_size());
    if (step == fails_at) throw std::runtime_error("scripted");
    if (step == interrupts_at) trainer().interrupt(2);
    if (largest.has_value() && batch.batch_size() > *largest) {
      throw std::runtime_error("CUDA out of memory. Tried to allocate 2.00 GiB");
    }
  }
};

class TunedData : public DataModule {
 public:
  explicit TunedData(int64_t samples = 64) : samples_(samples) {}

  std::shared_ptr<DataLoader> train_dataloader() override { return loader(); }
  DataLoaders test_dataloaders() override { return {loader()}; }
  DataLoaders predict_dataloaders() override { return {loader()}; }
  int64_t* batch_size_attribute() override { return &batch_size; }
  int64_t batches() const { return (samples_ + batch_size - 1) / batch_size; }

  int64_t batch_size = 2;

 private:
  std::shared_ptr<DataLoader> loader() const {
    const at::Tensor x = at::sin(at::arange(samples_ * 3, at::kFloat)).view({samples_, 3});
    return std::make_shared<TensorLoader>(std::vector<at::Tensor>{x, x.sum(1, true) * 0.5},
                                          TensorLoaderOptions{.batch_size = batch_size});
  }
  int64_t samples_;
};

// Notes every training batch that it hears of.
class StepCounter final : public Callback {
 public:
  explicit StepCounter(Trace& trace) : trace_(trace) {}
  void on_train_batch_end(TrainBatchEnd&) override { trace_.push_back("batch"); }

 private:
  Trace& trace_;
};

}  // namespace grapnel::test
