#include "grapnel/callbacks/learning_rate_monitor.h"

#include "../support/scripted.h"
#include "catch.h"
#include "grapnel/loggers/memory_logger.h"
#include "grapnel/lr_schedulers.h"

namespace learning_rate_monitor_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

// Two groups with momentum, and a scheduler per epoch or per step, on request.
class Scheduled : public ToyModule {
 public:
  OptimizerConfig configure_optimizers() override {
    std::vector<ParamGroup> groups;
    if (names.empty()) {
      groups = one_group({weight, bias});
    } else {
      groups = {{.name = names.at(0), .params = {weight}, .options = {}},
                {.name = names.at(1), .params = {bias}, .options = {}}};
    }
    OptimizerConfig config(std::make_shared<SGD>(
        std::move(groups), SGDOptions{.lr = 0.1, .momentum = 0.9, .weight_decay = 0.01}));
    if (scheduler) {
      SchedulerConfig schedule;
      schedule.scheduler = std::make_shared<StepLR>(config.optimizers[0], 1, 0.5);
      schedule.interval = interval;
      schedule.name = label;
      config.schedulers.push_back(std::move(schedule));
    }
    return config;
  }
  std::vector<std::string> names;
  bool scheduler = true;
  Interval interval = Interval::epoch;
  std::string label;
};

struct Logged {
  std::shared_ptr<MemoryLogger> logger = std::make_shared<MemoryLogger>();
  std::shared_ptr<LearningRateMonitor> monitor;
  std::optional<double> seen;  // in callback_metrics
};

Logged run(Scheduled& module, LearningRateMonitorOptions monitor_options, int64_t log_every = 1) {
  Logged logged;
  logged.monitor = std::make_shared<LearningRateMonitor>(std::move(monitor_options));
  TrainerOptions options = quiet(2);
  options.loggers = {logged.logger};
  options.log_every_n_steps = log_every;
  Trainer trainer(options, {logged.monitor});
  trainer.fit(module, toy_data(3, 0));
  if (trainer.callback_metrics().contains("lr-SGD"))
    logged.seen = trainer.callback_metrics().at("lr-SGD");
  return logged;
}

// Steps and values of what it logged itself.
std::vector<std::pair<int64_t, double>> rows_of(const MemoryLogger& logger,
                                                const std::string& name) {
  std::vector<std::pair<int64_t, double>> found;
  for (const auto& row : logger.rows()) {
    for (const auto& [key, value] : row.metrics) {
      if (key == name) found.emplace_back(row.step, value);
    }
  }
  return found;
}

using Rows = std::vector<std::pair<int64_t, double>>;

}  // namespace

TEST_CASE("the learning rate is logged as often as its scheduler steps") {
  Scheduled module;
  const Logged logged = run(module, {});
  CHECK(rows_of(*logged.logger, "lr-SGD") == Rows{{0, 0.1}, {3, 0.05}});
  CHECK(logged.monitor->lrs().at(0).second == std::vector<double>{0.1, 0.05});
  CHECK(logged.seen == Approx(0.05));

  Scheduled steps;
  steps.interval = Interval::step;
  CHECK(rows_of(*run(steps, {}, 2).logger, "lr-SGD") ==
        Rows{{1, 0.05}, {3, 0.0125}, {5, 0.003125}});
}

TEST_CASE(
    "logging_interval applies to all rates, and an optimizer without a scheduler is logged in "
    "both") {
  Scheduled module;
  CHECK(rows_of(*run(module, {.logging_interval = Interval::step}).logger, "lr-SGD").size() == 6);
  Scheduled bare;
  bare.scheduler = false;
  CHECK(rows_of(*run(bare, {}).logger, "lr-SGD").size() == 2 + 6);
  CHECK(rows_of(*run(bare, {.logging_interval = Interval::epoch}).logger, "lr-SGD").size() == 2);
}

TEST_CASE(
    "momentum and weight decay are logged with the learning rate, and the last values can be "
    "queried") {
  Scheduled module;
  const Logged logged =
      run(module, {.log_momentum = true, .log_weight_decay = true, .log_key_prefix = "opt/"});
  CHECK(rows_of(*logged.logger, "opt/lr-SGD-momentum").size() == 2);
  CHECK(logged.monitor->last_momentum_values().at(0).second == 0.9);
  CHECK(logged.monitor->last_weight_decay_values().at(0).second == 0.01);
}

TEST_CASE("learning rates are named by group name or number, unless the scheduler has a name") {
  Scheduled named;
  named.names = {"first", ""};
  const Logged logged = run(named, {});
  CHECK(rows_of(*logged.logger, "lr-SGD/first").size() == 2);
  CHECK(rows_of(*logged.logger, "lr-SGD/pg2").size() == 2);
  Scheduled labelled;
  labelled.label = "my_lr";
  CHECK(rows_of(*run(labelled, {}).logger, "my_lr").size() == 2);
}

TEST_CASE("LearningRateMonitor refuses two groups of one name, and a trainer without a logger") {
  Scheduled module;
  module.names = {"x", "x"};
  CHECK_THROWS_WITH(run(module, {}), Catch::Contains("lr-SGD") && Catch::Contains("'x'"));
  Scheduled fine;
  Trainer trainer(quiet(1), {std::make_shared<LearningRateMonitor>()});
  CHECK_THROWS_WITH(trainer.fit(fine, toy_data(1, 0)), Catch::Contains("needs a logger"));
}

TEST_CASE("a parameter group added later renames the single learning rate to the first of two") {
  class Adding : public Callback {
   public:
    void on_train_epoch_start(Event& event) override {
      if (event.trainer.current_epoch() != 1) return;
      event.trainer.optimizers()[0]->add_group(
          {.name = "", .params = {at::zeros({1}).set_requires_grad(true)}, .options = {}});
    }
  };
  Scheduled module;
  module.scheduler = false;
  auto monitor = std::make_shared<LearningRateMonitor>(
      LearningRateMonitorOptions{.logging_interval = Interval::step});
  TrainerOptions options = quiet(2);
  options.loggers = {std::make_shared<MemoryLogger>()};
  options.log_every_n_steps = 1;
  Trainer trainer(options, {std::make_shared<Adding>(), monitor});
  trainer.fit(module, toy_data(3, 0));
  REQUIRE(monitor->lrs().size() == 2);
  CHECK(monitor->lrs()[0].first == "lr-SGD/pg1");
  CHECK(monitor->lrs()[0].second.size() == 6);
  CHECK(monitor->lrs()[1].first == "lr-SGD/pg2");
  CHECK(monitor->lrs()[1].second.size() == 3);
}

TEST_CASE("LearningRateMonitor's history in memory is bounded") {
  Scheduled module;
  const Logged logged = run(module, {.logging_interval = Interval::step, .max_history = 4});
  const std::vector<double>& kept = logged.monitor->lrs().at(0).second;
  CHECK(kept.size() <= 4);
  CHECK(kept.back() == 0.05);
}

}  // namespace learning_rate_monitor_test
