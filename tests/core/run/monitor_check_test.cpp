// A monitored metric that nothing logs is found out early, and one that is logged never fails a run
// or is warned of.
#include <map>

#include "../callbacks/configuration.h"
#include "../support/backbone.h"
#include "../support/scripted.h"
#include "catch.h"
#include "grapnel/base/error.h"
#include "grapnel/callbacks/early_stopping.h"
#include "grapnel/callbacks/learning_rate_monitor.h"
#include "grapnel/callbacks/model_checkpoint.h"
#include "grapnel/data/digits.h"
#include "grapnel/loggers/memory_logger.h"
#include "grapnel/lr_schedulers.h"
#include "grapnel/models/cnn.h"
#include "grapnel/models/mlp.h"
#include "temp_dir.h"

namespace monitor_check_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Contains;

namespace {

// Keeps what had been logged when each epoch began.
class Listening final : public Callback {
 public:
  explicit Listening(const CapturedLog& log) : log_(log) {}
  void on_train_epoch_start(Event& event) override {
    texts[event.trainer.current_epoch()] = log_.text();
  }
  std::map<int64_t, std::string> texts;

 private:
  const CapturedLog& log_;
};

std::shared_ptr<EarlyStopping> stopping(const std::string& monitor,
                                        EarlyStoppingOptions options = {.strict = false}) {
  return std::make_shared<EarlyStopping>(monitor, options);
}

TrainerOptions with_sanity_check(int64_t epochs) {
  TrainerOptions options = quiet(epochs);
  options.num_sanity_val_steps = 1;
  return options;
}

int count(const std::string& text, const std::string& part) {
  int found = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

// Logs "late" in the epochs from 2 on.
class Late : public ToyModule {
 public:
  void on_train_epoch_end(Event& event) override {
    if (event.trainer.current_epoch() >= 2) log("late", 1.0);
  }
};

// With a schedule that looks at a metric.
class Plateau : public ToyModule {
 public:
  explicit Plateau(std::string monitor) : monitor_(std::move(monitor)) {}
  OptimizerConfig configure_optimizers() override {
    OptimizerConfig config = ToyModule::configure_optimizers();
    SchedulerConfig schedule;
    schedule.scheduler = std::make_shared<ReduceLROnPlateau>(config.optimizers[0]);
    schedule.monitor = monitor_;
    schedule.frequency = 10;
    config.schedulers.push_back(std::move(schedule));
    return config;
  }

 private:
  std::string monitor_;
};

}  // namespace

TEST_CASE("a monitor of a metric that the model doesn't log is reported before the first epoch") {
  for (const bool sanity : {false, true}) {
    const CapturedLog log;
    auto listening = std::make_shared<Listening>(log);
    MLP model({.hidden = {4}});
    DigitsDataModule data({.batch_size = 512});
    TrainerOptions options = quiet(2);
    options.num_sanity_val_steps = sanity ? 1 : 0;
    options.limit_train_batches = options.limit_val_batches = 1;
    Trainer trainer(options, {stopping("val_los", {}), listening});
    CHECK_THROWS_AS(trainer.fit(model, data), MetricError);
    CHECK_THAT(listening->texts.at(0),
               Contains("EarlyStopping monitors 'val_los', which is not among the metrics that MLP "
                        "logs in this fit ('train_loss', 'val_loss' and 'val_acc'); did you mean "
                        "'val_loss'?"));
  }
}

TEST_CASE("a monitor of a metric that nothing can log ends the run at once") {
  const CapturedLog log;
  const auto fit = [](std::vector<CallbackHandle> callbacks, bool fast = false) {
    MLP model({.hidden = {4}});
    DigitsDataModule data({.batch_size = 512});
    TrainerOptions options = quiet(2);
    options.limit_train_batches = options.limit_val_batches = 1;
    options.loggers = {std::make_shared<MemoryLogger>()};
    options.fast_dev_run = fast ? 1 : 0;
    const TempDir directory;
    options.enable_checkpointing = true;
    options.default_root_dir = directory.path();
    Trainer trainer(options, std::move(callbacks));
    try {
      trainer.fit(model, data);
    } catch (const MetricError&) {
      CHECK(trainer.global_step() == 0);
      throw;
    }
  };
  const auto monitor = std::make_shared<LearningRateMonitor>();
  CHECK_THROWS_WITH(fit({stopping("val_los", {}), monitor}),
                    Contains("did you mean 'val_loss'? No callback logs it either"));
  CHECK_THROWS_AS(fit({std::make_shared<ModelCheckpoint>(
                      ModelCheckpointOptions{.monitor = "val_los", .every_n_epochs = 99})}),
                  MetricError);
  // No slip of one that is there: it may be meant, and this run never looks at it.
  fit({std::make_shared<ModelCheckpoint>(
      ModelCheckpointOptions{.monitor = "loss", .every_n_epochs = 99})});
  // One that is there, one that may be missing, one that may fail, and one that others may log.
  fit({stopping("lr-Adam", {}), stopping("val_loss", {}), monitor});
  fit({stopping("val_los")});
  CallbackHandle lenient = stopping("val_los", {});
  lenient.on_error = OnError::disable;
  fit({lenient});
  fit({stopping("val_los", {})}, /*fast=*/true);
  class Logging final : public Callback {
   public:
    void on_train_epoch_end(Event& event) override { Callback::log(event, "val_los", 1.0); }
  };
  fit({stopping("val_los", {}), std::make_shared<Logging>()});
}

TEST_CASE("every built-in callback declares the metrics that it logs") {
  for (const CallbackRegistry::Entry& entry : callback_registry()) {
    INFO(entry.name());
    const TempDir directory;
    BackboneModule module;
    TrainerOptions options = quiet(2);
    options.enable_checkpointing = true;
    options.default_root_dir = directory.path();
    options.loggers = {std::make_shared<MemoryLogger>()};
    options.log_every_n_steps = 1;
    const CallbackHandle handle =
        make_callback(entry.name(), configuration(entry, directory.path()), entry.name());
    CHECK(is_built_in(*handle.callback));
    Trainer trainer(options, {handle});
    try {
      trainer.fit(module, toy_data());
    } catch (const std::exception&) {
      continue;  // not for this model
    }
    std::vector<std::string> told = {"train_loss", "val_loss"};
    if (const auto* source = dynamic_cast<const MetricSource*>(handle.callback.get())) {
      for (const std::string& name : source->metric_names(trainer)) told.push_back(name);
    }
    for (const std::string& name : trainer.callback_metrics().names()) {
      INFO(name);
      CHECK(std::find(told.begin(), told.end(), name) != told.end());
    }
  }
}

TEST_CASE("monitors of logged metrics cause no warning") {
  const CapturedLog log;
  TempDir directory;
  CNN model({.channels = {2}});
  DigitsDataModule data({.batch_size = 512});
  TrainerOptions options = with_sanity_check(2);
  options.limit_train_batches = options.limit_val_batches = 1;
  options.enable_checkpointing = true;
  options.loggers = {std::make_shared<MemoryLogger>()};
  Trainer trainer(options,
                  {stopping("val_loss", {}), stopping("train_loss", {}), stopping("val_acc", {}),
                   stopping("lr-Adam", {}), std::make_shared<LearningRateMonitor>(),
                   std::make_shared<ModelCheckpoint>(
                       ModelCheckpointOptions{.dirpath = directory.path(), .monitor = "epoch"})});
  trainer.fit(model, data);
  CHECK_THAT(log.text(), !Contains("monitors"));

  // Of the training's, the names for step and epoch; of several loaders', those with their index.
  Plateau toy("train_loss_epoch");
  Trainer second(with_sanity_check(2), {stopping("train_loss", {}), stopping("train_loss_step", {}),
                                        stopping("val_loss/dataloader_idx_1", {})});
  second.fit(toy,
             Data(std::make_shared<ToyLoader>(2),
                  DataLoaders{std::make_shared<ToyLoader>(1), std::make_shared<ToyLoader>(1)}));
  CHECK_THAT(log.text(), !Contains("monitors"));
}

TEST_CASE(
    "the sanity check reports a likely typo in a monitor; other names wait for the training") {
  const CapturedLog log;
  auto listening = std::make_shared<Listening>(log);
  ToyModule module;
  Trainer trainer(with_sanity_check(2), {stopping("val_lsos"), stopping("loss"), listening});
  trainer.fit(module, toy_data());
  CHECK_THAT(listening->texts.at(0),
             Contains("monitors 'val_lsos', which the sanity check did not log; did you mean "
                      "'val_loss'?") &&
                 !Contains("'loss'"));
  CHECK_THAT(listening->texts.at(1), Contains("monitors 'val_lsos', which nothing has logged"));
  // It makes do without, and its name is like none.
  CHECK_THAT(log.text(), !Contains("monitors 'loss'"));
}

TEST_CASE("a metric that is logged only later is no error; its monitor is warned about once") {
  const CapturedLog log;
  auto listening = std::make_shared<Listening>(log);
  Late module;
  Trainer trainer(with_sanity_check(4),
                  {stopping("late", {.patience = 9, .start_from_epoch = 2}), listening});
  trainer.fit(module, toy_data());
  CHECK(trainer.current_epoch() == 4);
  CHECK_THAT(listening->texts.at(0), !Contains("monitors"));
  CHECK_THAT(listening->texts.at(1), Contains("monitors 'late', which nothing has logged so far"));
  CHECK(count(log.text(), "monitors 'late'") == 1);
}

TEST_CASE(
    "a scheduler's missing metric is reported after the first epoch, before the scheduler needs "
    "it") {
  const CapturedLog log;
  Plateau module("val_loos");
  Trainer trainer(quiet(2), {});
  trainer.fit(module, toy_data());
  CHECK_THAT(log.text(),
             Contains("ReduceLROnPlateau monitors 'val_loos', which nothing has logged so far; did "
                      "you mean 'val_loss'? (there is "));
}

TEST_CASE("metrics of the validation are not reported missing before the first validation") {
  const CapturedLog log;
  auto listening = std::make_shared<Listening>(log);
  ToyModule module;
  TrainerOptions options = quiet(4);
  options.check_val_every_n_epoch = 2;
  Trainer trainer(options, {stopping("val_loss", {}), stopping("val_acc1", {.start_from_epoch = 9}),
                            listening});
  trainer.fit(module, toy_data());
  CHECK_THAT(listening->texts.at(1), !Contains("monitors"));
  CHECK_THAT(listening->texts.at(2), Contains("monitors 'val_acc1'") && !Contains("'val_loss',"));
}

TEST_CASE("without validation data a model declares no validation metrics") {
  const CapturedLog log;
  MLP model({.in_features = 3, .hidden = {}, .classes = 2});
  class Classes final : public ToyLoader {
   public:
    Classes() : ToyLoader(1) {}
    std::optional<Batch> next() override {
      auto batch = ToyLoader::next();
      if (batch) *batch = Batch({(*batch)[0], at::zeros({2}, at::kLong)});
      return batch;
    }
  };
  Trainer trainer(quiet(1), {stopping("val_loss", {.start_from_epoch = 9})});
  trainer.fit(model, std::make_shared<Classes>());
  CHECK_THAT(log.text(),
             Contains("is not among the metrics that MLP logs in this fit ('train_loss')"));
}

TEST_CASE("a class derived from a built-in model isn't limited to that model's metrics") {
  class More final : public MLP {
   public:
    using MLP::MLP;
    void on_train_epoch_end(Event&) override { log("val_los", 1.0); }
  };
  const CapturedLog log;
  More model(MLPOptions{.hidden = {4}});
  DigitsDataModule data({.batch_size = 512});
  TrainerOptions options = quiet(2);
  options.limit_train_batches = options.limit_val_batches = 1;
  Trainer trainer(options, {stopping("val_los", {})});
  trainer.fit(model, data);
  CHECK_THAT(log.text(), !Contains("monitors"));
}

}  // namespace monitor_check_test
