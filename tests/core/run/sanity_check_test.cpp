// The sanity check leaves no trace: what a resumed run restored is still there after it, for every
// scheduler and for everything else that looks at a metric.
#include <algorithm>

#include "../support/recorder.h"
#include "catch.h"
#include "grapnel/base/json.h"
#include "grapnel/callbacks/early_stopping.h"
#include "grapnel/callbacks/model_checkpoint.h"
#include "grapnel/lr_schedulers/registry.h"
#include "temp_dir.h"
#include "toy.h"

namespace sanity_check_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

// With the default sanity check of two steps.
TrainerOptions checked(int64_t epochs) {
  TrainerOptions options = quiet(epochs);
  options.num_sanity_val_steps = 2;
  return options;
}

class ScheduledModule : public ToyModule {
 public:
  explicit ScheduledModule(std::string scheduler = {}) : scheduler_(std::move(scheduler)) {}

  OptimizerConfig configure_optimizers() override {
    const auto optimizer =
        std::make_shared<SGD>(std::vector<at::Tensor>{weight, bias}, SGDOptions{.lr = 0.05});
    OptimizerConfig config(optimizer);
    if (scheduler_.empty()) return config;
    config.schedulers = {
        make_scheduler_config(parse_json(scheduler_, "run.json"), "scheduler", optimizer)};
    return config;
  }

 private:
  std::string scheduler_;
};

// A setting of each scheduler in which every epoch or step counts.
std::vector<std::string> schedulers() {
  return {
      R"({"name": "StepLR", "step_size": 2, "gamma": 0.5})",
      R"({"name": "MultiStepLR", "milestones": [1, 3], "gamma": 0.5})",
      R"({"name": "ConstantLR", "factor": 0.5, "total_iters": 3})",
      R"({"name": "LinearLR", "start_factor": 0.25, "total_iters": 4})",
      R"({"name": "ExponentialLR", "gamma": 0.8})",
      R"({"name": "PolynomialLR", "total_iters": 6, "power": 2.0})",
      R"({"name": "CosineAnnealingLR", "T_max": 5})",
      R"({"name": "CosineAnnealingWarmRestarts", "T_0": 2})",
      R"({"name": "OneCycleLR", "max_lr": 0.1, "total_steps": 30, "interval": "step"})",
      R"({"name": "CyclicLR", "base_lr": 0.01, "max_lr": 0.1, "step_size_up": 4, "interval": "step"})",
      R"({"name": "ReduceLROnPlateau", "monitor": "val_loss", "patience": 0, "threshold": 0.5})",
      R"({"name": "ReduceLROnPlateau", "monitor": "val_loss", "patience": 0, "threshold": 0.5,
          "strict": false})",
      R"({"name": "ReduceLROnPlateau", "monitor": "train_loss", "patience": 0, "threshold": 0.5})",
      R"({"name": "SWALR", "swa_lr": 0.01, "anneal_epochs": 3})",
      R"({"name": "SequentialLR", "milestones": [2], "schedulers": [
          {"name": "LinearLR", "start_factor": 0.5, "total_iters": 2},
          {"name": "ExponentialLR", "gamma": 0.5}]})",
  };
}

struct End {
  at::Tensor weight;
  std::vector<double> rates;  // at each epoch's start
  std::vector<std::string> metrics;
};

constexpr int64_t kEpochs = 5;

// Trains from a checkpoint or from the start; writes `save` at the end of an epoch and dies there.
End train(const std::string& scheduler, const std::string& from, int64_t dies_after_epoch = -1,
          const std::filesystem::path& save = {}) {
  Trace trace;
  End end;
  ScheduledModule module(scheduler);
  auto recorder = std::make_shared<Recorder>(trace);
  recorder->script = [&](const std::string& hook, Trainer& trainer) {
    if (hook == "on_train_epoch_start") {
      end.rates.push_back(trainer.optimizers()[0]->groups()[0].options.at("lr"));
    }
    if (hook == "on_train_epoch_end" && trainer.current_epoch() == dies_after_epoch) {
      trainer.save_checkpoint(save);
      throw std::runtime_error("killed");
    }
  };
  Trainer trainer(checked(kEpochs), {recorder});
  try {
    trainer.fit(module, toy_data(), {.ckpt_path = from});
  } catch (const std::runtime_error& error) {
    if (std::string(error.what()) != "killed") throw;
  }
  end.weight = module.weight.detach().clone();
  end.metrics = trainer.callback_metrics().names();
  return end;
}

}  // namespace

TEST_CASE("every scheduler continues where it was, although a sanity check comes before") {
  std::vector<std::string> tested;
  const TempDir directory;
  const std::filesystem::path file = directory / "killed.ckpt";
  for (const std::string& scheduler : schedulers()) {
    INFO(scheduler);
    tested.push_back(parse_json(scheduler, "").at("name").as_string());
    const End whole = train(scheduler, "");
    for (const int64_t epoch : {0, 2}) {
      train(scheduler, "", epoch, file);
      const End resumed = train(scheduler, file.string());
      CHECK(at::equal(resumed.weight, whole.weight));
      const std::vector<double> rest(whole.rates.begin() + epoch + 1, whole.rates.end());
      CHECK(resumed.rates == rest);
      CHECK(resumed.metrics == whole.metrics);
    }
  }
  for (const std::string& name : lr_scheduler_registry().names()) {
    INFO(name);
    CHECK(std::find(tested.begin(), tested.end(), name) != tested.end());
  }
}

TEST_CASE("a monitor of the epoch's end sees the restored metrics after the sanity check") {
  const TempDir directory;
  const std::filesystem::path file = directory / "killed.ckpt";
  const auto training = [&](const std::string& from, int64_t dies_after_epoch) {
    TrainerOptions options = checked(4);
    options.check_val_every_n_epoch = 2;
    options.enable_checkpointing = true;
    auto stopping = std::make_shared<EarlyStopping>(
        "val_loss", EarlyStoppingOptions{
                        .patience = 10, .check_on_train_epoch_end = true, .start_from_epoch = 1});
    auto named = std::make_shared<ModelCheckpoint>(
        ModelCheckpointOptions{.dirpath = directory / (from.empty() ? "whole" : "resumed"),
                               .filename = "{epoch}-{val_loss:.3f}",
                               .save_top_k = -1,
                               .save_on_train_epoch_end = true});
    Trace trace;
    auto killer = std::make_shared<Recorder>(trace);
    // Without a validation in the next epoch: the restored value is all that there is.
    killer->script = [&](const std::string& hook, Trainer& trainer) {
      if (hook != "on_train_epoch_end" || trainer.current_epoch() != dies_after_epoch) return;
      trainer.save_checkpoint(file);
      throw std::runtime_error("killed");
    };
    ToyModule module;
    Trainer trainer(options, {stopping, killer, named});
    try {
      trainer.fit(module, toy_data(), {.ckpt_path = from});
    } catch (const std::runtime_error& error) {
      if (std::string(error.what()) != "killed") throw;
    }
    std::vector<std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(named->dirpath())) {
      files.push_back(entry.path().filename().string());
    }
    std::sort(files.begin(), files.end());
    return files;
  };
  const std::vector<std::string> whole = training("", -1);
  REQUIRE(whole.size() == 4);
  std::filesystem::remove_all(directory / "whole");
  training("", 1);
  const std::vector<std::string> resumed = training(file.string(), -1);
  CHECK(resumed ==
        std::vector<std::string>(whole.end() - static_cast<long>(resumed.size()), whole.end()));
  CHECK(resumed.size() == 3);  // that of the epoch in whose end the run was killed, too
}

TEST_CASE("a sanity check that fails leaves the restored metrics and counts as they were") {
  const TempDir directory;
  const std::filesystem::path file = directory / "end.ckpt";
  {
    ToyModule module;
    Trace trace;
    auto saver = std::make_shared<Recorder>(trace);
    saver->script = [&](const std::string& hook, Trainer& trainer) {
      if (hook == "on_train_epoch_end") trainer.save_checkpoint(file);
    };
    Trainer trainer(checked(1), {saver});
    trainer.fit(module, toy_data());
  }
  Trace trace;
  auto breaker = std::make_shared<Recorder>(trace);
  std::vector<std::string> seen;
  int64_t validated_at = 0;
  breaker->script = [&](const std::string& hook, Trainer& trainer) {
    if (hook == "on_validation_batch_end") throw std::runtime_error("broken");
    if (hook != "on_exception") return;
    seen = trainer.callback_metrics().names();
    validated_at = trainer.state().validated_at_batch;
  };
  ToyModule module;
  Trainer trainer(checked(2), {breaker});
  CHECK_THROWS_WITH(trainer.fit(module, toy_data(), {.ckpt_path = file.string()}), "broken");
  CHECK(std::find(seen.begin(), seen.end(), "val_loss") != seen.end());
  CHECK(std::find(seen.begin(), seen.end(), "train_loss_epoch") != seen.end());
  CHECK(validated_at == 3);
}

TEST_CASE("a metric set before the sanity check is visible after it") {
  Trace trace;
  auto setter = std::make_shared<Recorder>(trace);
  bool there = false;
  setter->script = [&](const std::string& hook, Trainer& trainer) {
    if (hook == "on_fit_start") trainer.set_callback_metric("own", 3.0);
    if (hook == "on_train_start") there = trainer.callback_metrics().find("own") != nullptr;
  };
  ToyModule module;
  Trainer trainer(checked(1), {setter});
  trainer.fit(module, toy_data());
  CHECK(there);
}

}  // namespace sanity_check_test
