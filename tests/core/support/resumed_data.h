// A training on numbered samples that is killed within its first epoch and resumed with data or
// options of another kind, and what it saw of its samples.
#pragma once

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "captured_log.h"
#include "grapnel/data/tensor_loader.h"
#include "grapnel/lr_schedulers.h"
#include "recorder.h"
#include "temp_dir.h"
#include "toy.h"

namespace grapnel::test {

// Samples have their number in the third column, in hundredths.
inline std::shared_ptr<DataLoader> numbered_loader(TensorLoaderOptions options,
                                                   int64_t samples = 48) {
  at::Tensor x = at::sin(at::arange(samples * 3, at::kFloat)).view({samples, 3});
  x.select(1, 2).copy_(at::arange(samples, at::kFloat) * 0.01);
  return std::make_shared<TensorLoader>(std::vector<at::Tensor>{x, x.sum(1, true)},
                                        std::move(options));
}

inline std::vector<int64_t> numbers_of(const at::Tensor& x) {
  std::vector<int64_t> numbers;
  for (int64_t i = 0; i < x.size(0); ++i) {
    numbers.push_back(std::lround(x[i][2].item<float>() * 100));
  }
  return numbers;
}

// Two epochs; the defaults are 12 batches of 4 samples and a validation after each epoch.
struct NumberedTraining {
  using MakeLoader = std::function<std::shared_ptr<DataLoader>()>;

  TensorLoaderOptions loader = {.batch_size = 4};
  int64_t samples = 48;
  MakeLoader make_loader = {};  // in the place of both
  Amount limit = 1.0;
  Amount overfit = 0.0;
  int64_t accumulate = 1;
  int64_t max_steps = -1;
  ValCheckInterval val_check_interval = 1.0;
  int64_t val_batches = 2;
  SchedulerConfig scheduler = {};  // interval and frequency of an ExponentialLR
  std::function<std::vector<CallbackHandle>()> callbacks = {};

  std::shared_ptr<DataLoader> train() const {
    return make_loader ? make_loader() : numbered_loader(loader, samples);
  }
};

// What the resumed run and the one before saw.
struct SeenTraining {
  std::map<int64_t, int> times;  // number of a sample -> steps on it in the first epoch
  int64_t first_batch = -1;      // of the resumed run
  int64_t first_epoch = -1;
  std::vector<int64_t> first_numbers;  // of its first batch
  std::vector<std::string> validated;  // "epoch/batches done in it", of both
  double lr = 0;
  int64_t epochs = 0;
  at::Tensor weight;
  std::vector<std::string> warnings;  // of the resumed run
  std::vector<std::string> log;       // all of it

  int64_t samples_trained(int times_each) const {
    int64_t count = 0;
    for (const auto& [sample, n] : times) count += n == times_each ? 1 : 0;
    return count;
  }
};

class NumberedModule : public ToyModule {
 public:
  explicit NumberedModule(const NumberedTraining& training) : training_(training) {}
  OptimizerConfig configure_optimizers() override {
    const auto optimizer =
        std::make_shared<SGD>(std::vector<at::Tensor>{weight, bias}, SGDOptions{.lr = 0.01});
    OptimizerConfig config(optimizer);
    SchedulerConfig scheduler = training_.scheduler;
    scheduler.scheduler =
        std::make_shared<ExponentialLR>(optimizer, ExponentialLROptions{.gamma = 0.5});
    config.schedulers = {scheduler};
    return config;
  }

 private:
  const NumberedTraining& training_;
};

class NumberedData : public DataModule {
 public:
  explicit NumberedData(NumberedTraining training) : training_(std::move(training)) {}
  std::shared_ptr<DataLoader> train_dataloader() override { return training_.train(); }
  DataLoaders val_dataloaders() override {
    return {std::make_shared<ToyLoader>(training_.val_batches, 100)};
  }
  int64_t* batch_size_attribute() override { return &training_.loader.batch_size; }

 private:
  NumberedTraining training_;
};

// Where a training is killed: in the hook, once so many batches of the first epoch have begun.
struct KilledAt {
  int64_t batches = 8;
  std::string hook = "on_train_batch_end";
};

// One run. kill: after it has written the file; else the file is resumed from, where there is one.
inline void train_numbered(const NumberedTraining& training, SeenTraining& seen,
                           const std::filesystem::path& file, const KilledAt* kill) {
  Trace trace;
  auto recorder = std::make_shared<Recorder>(trace);
  recorder->script = [&](const std::string& hook, Trainer& trainer) {
    const int64_t begun = trainer.state().batch.current.ready;
    if (hook == "on_train_batch_start" && seen.first_batch < 0) {
      seen.first_batch = begun - 1;
      seen.first_epoch = trainer.current_epoch();
    }
    if (hook == "on_validation_end") {
      seen.validated.push_back(std::to_string(trainer.current_epoch()) + "/" +
                               std::to_string(begun));
    }
    if (kill == nullptr || hook != kill->hook || begun != kill->batches) return;
    if (trainer.current_epoch() != 0) return;
    trainer.save_checkpoint(file);
    throw std::runtime_error("killed");
  };
  std::vector<CallbackHandle> callbacks = {recorder};
  if (training.callbacks) {
    for (CallbackHandle& each : training.callbacks()) callbacks.push_back(std::move(each));
  }
  TrainerOptions options = quiet(2);
  options.limit_train_batches = training.limit;
  options.overfit_batches = training.overfit;
  options.accumulate_grad_batches = training.accumulate;
  options.max_steps = training.max_steps;
  options.val_check_interval = training.val_check_interval;
  NumberedModule module(training);
  NumberedData data(training);
  const CapturedLog log;
  Trainer trainer(options, std::move(callbacks));
  module.during_step = [&](const std::string& stage, Batch& batch) {
    if (stage != "train") return;
    if (seen.first_numbers.empty()) seen.first_numbers = numbers_of(batch[0]);
    if (trainer.current_epoch() != 0) return;
    for (const int64_t number : numbers_of(batch[0])) ++seen.times[number];
  };
  try {
    trainer.fit(module, data,
                {.ckpt_path = std::filesystem::exists(file) ? file.string() : std::string()});
    if (kill != nullptr && kill->hook.empty()) trainer.save_checkpoint(file);
  } catch (const std::runtime_error& error) {
    if (std::string(error.what()) != "killed") throw;
  }
  seen.lr = trainer.optimizers()[0]->groups()[0].options.at("lr");
  seen.epochs = trainer.current_epoch();
  seen.weight = module.weight.detach().clone();
  seen.warnings.clear();
  for (const std::string& text : log.texts(LogLevel::warning)) {
    if (text.find("epoch") != std::string::npos) seen.warnings.push_back(text);
  }
  seen.log = log.lines();
}

// Killed under the one, resumed under the other.
inline SeenTraining resume_numbered(const NumberedTraining& before, const NumberedTraining& after,
                                    const KilledAt& kill = {}) {
  const TempDir directory;
  const auto file = directory / "a.ckpt";
  SeenTraining seen;
  train_numbered(before, seen, file, &kill);
  seen.first_batch = -1;
  seen.first_numbers.clear();
  train_numbered(after, seen, file, nullptr);
  return seen;
}

}  // namespace grapnel::test
