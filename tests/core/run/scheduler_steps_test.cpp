// When schedulers step: frequencies beside accumulation, and metrics that are new or not there yet.
#include "../support/recorder.h"
#include "catch.h"
#include "grapnel/base/error.h"
#include "grapnel/lr_schedulers.h"
#include "temp_dir.h"
#include "toy.h"

namespace scheduler_steps_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

// Notes the position of each scheduler step: the batch of the epoch, or the epoch.
class SteppedModule : public ToyModule {
 public:
  OptimizerConfig configure_optimizers() override {
    auto optimizer =
        std::make_shared<SGD>(std::vector<at::Tensor>{weight, bias}, SGDOptions{.lr = 1e-3});
    OptimizerConfig config(optimizer);
    if (plateau) {
      scheduler.scheduler = std::make_shared<ReduceLROnPlateau>(
          optimizer, ReduceLROnPlateauOptions{.factor = 0.1, .patience = 1});
    } else {
      scheduler.scheduler = std::make_shared<ExponentialLR>(optimizer, 0.5);
    }
    config.schedulers.push_back(scheduler);
    return config;
  }
  void lr_scheduler_step(LRScheduler& which, std::optional<double> metric) override {
    stepped_at.push_back(scheduler.interval == Interval::step
                             ? trainer().state().batch.current.ready
                             : trainer().current_epoch());
    ToyModule::lr_scheduler_step(which, metric);
  }

  bool plateau = false;
  SchedulerConfig scheduler;
  std::vector<int64_t> stepped_at;
};

std::vector<int64_t> plateau_steps(TrainerOptions options, bool strict = true) {
  SteppedModule module;
  module.plateau = true;
  module.scheduler = {.scheduler = nullptr, .monitor = "val_loss", .strict = strict};
  Trainer trainer(std::move(options));
  trainer.fit(module, toy_data());
  return module.stepped_at;
}

}  // namespace

TEST_CASE("a plateau scheduler steps only on a new value of its metric") {
  TrainerOptions options = quiet(9);
  options.check_val_every_n_epoch = 3;
  CHECK(plateau_steps(options) == std::vector<int64_t>{2, 5, 8});
  CHECK(plateau_steps(options, /*strict=*/false) == std::vector<int64_t>{2, 5, 8});
  options.check_val_every_n_epoch = 1;
  CHECK(plateau_steps(options) == std::vector<int64_t>{0, 1, 2, 3, 4, 5, 6, 7, 8});
}

TEST_CASE("a plateau scheduler whose metric will not come fails as soon as that is certain") {
  SteppedModule module;
  module.plateau = true;
  module.scheduler = {.scheduler = nullptr, .monitor = "nope"};
  TrainerOptions options = quiet(9);
  options.check_val_every_n_epoch = 3;
  {
    Trainer trainer(options);
    CHECK_THROWS_WITH(trainer.fit(module, toy_data()), Catch::Contains("'nope'"));
    CHECK(trainer.current_epoch() == 2);
  }
  Trainer trainer(options);
  CHECK_THROWS_AS(trainer.fit(module, std::make_shared<ToyLoader>(3)), MetricError);
  CHECK(trainer.current_epoch() == 0);
}

TEST_CASE("a resumed plateau scheduler does not step again on a value that it has seen") {
  const TempDir directory;
  const auto file = directory / "epoch-3.ckpt";
  TrainerOptions options = quiet(9);
  options.check_val_every_n_epoch = 3;
  Trace trace;
  auto saver = std::make_shared<Recorder>(trace);
  saver->script = [&](const std::string& hook, Trainer& trainer) {
    if (hook == "on_train_epoch_end" && trainer.current_epoch() == 3) trainer.save_checkpoint(file);
  };
  SteppedModule first;
  first.plateau = true;
  first.scheduler = {.scheduler = nullptr, .monitor = "val_loss"};
  Trainer(options, {saver}).fit(first, toy_data());
  SteppedModule resumed;
  resumed.plateau = true;
  resumed.scheduler = {.scheduler = nullptr, .monitor = "val_loss"};
  Trainer(options).fit(resumed, toy_data(), {.ckpt_path = file.string()});
  CHECK(resumed.stepped_at == std::vector<int64_t>{5, 8});
}

TEST_CASE("a scheduler's frequency counts batches since its last step") {
  const auto steps = [](int64_t accumulate, int64_t frequency) {
    SteppedModule module;
    module.scheduler = {.scheduler = nullptr, .interval = Interval::step, .frequency = frequency};
    TrainerOptions options = quiet(1);
    options.accumulate_grad_batches = accumulate;
    Trainer(options).fit(module, toy_data(12));
    return module.stepped_at;
  };
  CHECK(steps(1, 5) == std::vector<int64_t>{5, 10});
  CHECK(steps(2, 5) == std::vector<int64_t>{6, 12});
  CHECK(steps(3, 2) == std::vector<int64_t>{3, 6, 9, 12});
}

}  // namespace scheduler_steps_test
