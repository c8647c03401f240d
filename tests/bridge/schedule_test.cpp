// Extension schedule: factors on learning rates, in a real training.
#include <grapnel/ext/schedule.h>

#include <limits>
#include <vector>

#include <grapnel/callbacks/learning_rate_monitor.h>
#include <grapnel/lr_schedulers/exponential_lr.h>
#include <grapnel/optim/registry.h>

#include "catch.h"
#include "support/in_process_plugin.h"
#include "support/toy_training.h"
#include "temp_dir.h"

namespace schedule_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

const grapnel_schedule& schedule(const Caller& caller) {
  return caller.table<grapnel_schedule>(GRAPNEL_EXT_SCHEDULE);
}

std::int32_t set(const Caller& caller, double factor) {
  return schedule(caller).set_factor(caller.host, GRAPNEL_SCHEDULE_ALL, GRAPNEL_SCHEDULE_ALL,
                                     factor);
}

double factor(const Caller& caller, std::uint64_t group = 0) {
  double value = -1;
  CHECK(schedule(caller).get_factor(caller.host, 0, group, &value) == GRAPNEL_OK);
  return value;
}

double rate(const Caller& caller, std::uint64_t group = 0) {
  double value = -1;
  CHECK(schedule(caller).rate(caller.host, 0, group, &value) == GRAPNEL_OK);
  return value;
}

double own_rate(const Caller& caller) {
  double value = -1;
  const auto& table = caller.table<grapnel_optimizers>(GRAPNEL_EXT_OPTIMIZERS);
  CHECK(table.get_option(caller.host, 0, 0, text(std::string_view("lr")), &value) == GRAPNEL_OK);
  return value;
}

// SGD without momentum, its rate multiplied by gamma after every batch.
struct Plain final : ToyModule {
  explicit Plain(double gamma = 1, std::string type = "SGD")
      : gamma_(gamma), type_(std::move(type)) {}
  OptimizerConfig configure_optimizers() override {
    const ConfigValue config = parse_json(R"({"name": ")" + type_ + R"(", "lr": 0.05})", "toy");
    const std::vector<ParamGroup> groups = {{.name = "w", .params = {weight}},
                                            {.name = "b", .params = {bias}}};
    OptimizerConfig result(make_optimizer(config, "optimizer", groups));
    if (gamma_ != 1) {
      result.schedulers = {
          {.scheduler = std::make_shared<ExponentialLR>(result.optimizers[0], gamma_),
           .interval = Interval::step}};
    }
    return result;
  }

 private:
  double gamma_;
  std::string type_;
};

std::unique_ptr<Trainer> fit(Plain& module, std::vector<CallbackHandle> callbacks,
                             const RunOptions& run = {}, std::int64_t epochs = 1) {
  auto trainer = std::make_unique<Trainer>(quiet(epochs), std::move(callbacks));
  trainer->fit(module, toy_data(4), run);
  return trainer;
}

// Changes of the weight by each step of a fit.
struct StepChanges final : Callback {
  void on_train_batch_start(TrainBatchStart& event) override {
    before = dynamic_cast<ToyModule&>(event.module).weight.detach().clone();
  }
  void on_train_batch_end(TrainBatchEnd& event) override {
    changes.push_back(dynamic_cast<ToyModule&>(event.module).weight.detach() - before);
  }
  at::Tensor before;
  std::vector<at::Tensor> changes;
};

}  // namespace

TEST_CASE("a step is made with the rate times the factor, and the option stays as it is") {
  InProcessPlugin plugin;
  std::vector<double> options;
  plugin.on(Hook::on_train_start, [&](const Caller& caller, const grapnel_Event*) {
    CHECK(factor(caller) == 1);
    CHECK(rate(caller) == 0.05);
    CHECK(set(caller, 0.5) == GRAPNEL_OK);
    CHECK(factor(caller) == 0.5);
    CHECK(rate(caller) == 0.025);
    return GRAPNEL_OK;
  });
  for (const Hook hook : {Hook::on_before_optimizer_step, Hook::on_after_optimizer_step}) {
    plugin.on(hook, [&](const Caller& caller, const grapnel_Event*) {
      options.push_back(own_rate(caller));
      return GRAPNEL_OK;
    });
  }
  Plain whole, halved;
  const auto changes = std::make_shared<StepChanges>();
  const auto changes_halved = std::make_shared<StepChanges>();
  fit(whole, {changes});
  const auto trainer = fit(halved, {changes_halved, plugin.handle()});
  CHECK(at::allclose(changes_halved->changes[0], changes->changes[0] * 0.5));
  CHECK(options == std::vector<double>(8, 0.05));
  CHECK(trainer->optimizers()[0]->groups()[0].options.at("lr") == 0.05);
  CHECK(trainer->learning_rate(0, 1) == 0.025);
  CHECK_THROWS_WITH(trainer->learning_rate(0, 2), Catch::Matchers::Contains("no group 2"));
}

TEST_CASE("LibTorch's own optimizers have the factor too") {
  InProcessPlugin plugin;
  plugin.on(Hook::on_train_start,
            [](const Caller& caller, const grapnel_Event*) { return set(caller, 0); });
  Plain module(1, "RMSprop");
  const at::Tensor before = module.weight.detach().clone();
  fit(module, {plugin.handle()});
  CHECK(module.weight.equal(before));
}

TEST_CASE("factors of several plugins are multiplied, on top of the schedulers") {
  InProcessPlugin one, two("{}", "1.2.3", "other");
  std::vector<double> rates, options;
  const auto halve = [](const Caller& caller, const grapnel_Event*) { return set(caller, 0.5); };
  one.on(Hook::on_train_start, halve);
  two.on(Hook::on_train_start, halve);
  two.on(Hook::on_train_batch_start, [&](const Caller& caller, const grapnel_Event*) {
    rates.push_back(rate(caller));
    options.push_back(own_rate(caller));
    CHECK(factor(caller) == 0.5);
    return GRAPNEL_OK;
  });
  Plain module(0.5);
  fit(module, {one.handle(), two.handle()});
  CHECK(options == std::vector<double>{0.05, 0.025, 0.0125, 0.00625});
  CHECK(rates == std::vector<double>{0.0125, 0.00625, 0.003125, 0.0015625});
}

TEST_CASE("one group may have a factor of its own, until one for all replaces it") {
  InProcessPlugin plugin;
  plugin.on(Hook::on_train_start, [](const Caller& caller, const grapnel_Event*) {
    const auto set_one = [&](std::int64_t optimizer, std::int64_t group, double value) {
      return schedule(caller).set_factor(caller.host, optimizer, group, value);
    };
    CHECK(set(caller, 0.5) == GRAPNEL_OK);
    CHECK(set_one(0, 1, 3) == GRAPNEL_OK);
    CHECK(factor(caller, 0) == 0.5);
    CHECK(factor(caller, 1) == 3);
    CHECK(set_one(0, GRAPNEL_SCHEDULE_ALL, 2) == GRAPNEL_OK);
    CHECK(factor(caller, 1) == 2);
    CHECK(set(caller, 1) == GRAPNEL_OK);
    CHECK(factor(caller, 1) == 1);

    CHECK(set_one(0, 2, 2) == GRAPNEL_NOT_FOUND);
    CHECK(set_one(1, 0, 2) == GRAPNEL_NOT_FOUND);
    CHECK(set_one(-2, 0, 2) == GRAPNEL_NOT_FOUND);
    CHECK(set_one(GRAPNEL_SCHEDULE_ALL, 0, 2) == GRAPNEL_INVALID_ARGUMENT);
    for (const double bad : {-0.1, std::numeric_limits<double>::infinity(),
                             std::numeric_limits<double>::quiet_NaN()}) {
      CHECK(set(caller, bad) == GRAPNEL_INVALID_ARGUMENT);
    }
    CHECK(schedule(caller).rate(caller.host, 0, 0, nullptr) == GRAPNEL_INVALID_ARGUMENT);
    CHECK(factor(caller, 0) == 1);
    return set_one(0, 0, 0);
  });
  Plain module;
  const at::Tensor weight = module.weight.detach().clone();
  const at::Tensor bias = module.bias.detach().clone();
  fit(module, {plugin.handle()});
  CHECK(module.weight.equal(weight));
  CHECK_FALSE(module.bias.equal(bias));
}

TEST_CASE("a factor before the first run is refused") {
  InProcessPlugin plugin;
  plugin.init = [](const Caller& caller) {
    CHECK(set(caller, 0.5) == GRAPNEL_NOT_NOW);
    return GRAPNEL_OK;
  };
  plugin.make();
}

TEST_CASE("a training that resumes has its factors again, bit for bit") {
  const TempDir directory;
  const auto file = directory / "a.ckpt";
  const auto ramp = [&](InProcessPlugin& plugin, std::int64_t steps) {
    plugin.on(
        Hook::on_after_optimizer_step, [&, steps](const Caller& caller, const grapnel_Event*) {
          const auto step = caller.trainer_state().global_step;
          return step <= steps ? set(caller, 1.0 / static_cast<double>(3 + step)) : GRAPNEL_OK;
        });
  };
  // The factor of step 3 lasts to the end: it is known only to the host when the fit resumes.
  InProcessPlugin plugin;
  ramp(plugin, 3);
  Plain whole(0.9);
  fit(whole, {plugin.handle()}, {}, 2);

  InProcessPlugin first, second;
  ramp(first, 3);
  Plain part(0.9), resumed(0.9);
  const auto trainer = fit(part, {first.handle()});
  trainer->save_checkpoint(file);
  const auto rest = fit(resumed, {second.handle()}, {.ckpt_path = file.string()}, 2);
  CHECK(resumed.weight.equal(whole.weight));
  CHECK(resumed.bias.equal(whole.bias));
  CHECK(rest->learning_rate(0, 0) != rest->optimizers()[0]->groups()[0].options.at("lr"));

  SECTION("and without the plugin the rates are those of the schedulers alone") {
    Plain alone(0.9);
    const auto without = fit(alone, {}, {.ckpt_path = file.string()}, 2);
    CHECK(without->learning_rate(0, 0) == without->optimizers()[0]->groups()[0].options.at("lr"));
  }
}

TEST_CASE("factors end with a plugin that is disabled") {
  CapturedLog log;
  InProcessPlugin plugin;
  plugin.on(Hook::on_train_start,
            [](const Caller& caller, const grapnel_Event*) { return set(caller, 0); });
  plugin.on(Hook::on_train_batch_end, [](const Caller& caller, const grapnel_Event*) {
    return caller.fail("enough") == GRAPNEL_OK ? GRAPNEL_ERROR : GRAPNEL_OK;
  });
  CallbackHandle handle = plugin.handle();
  handle.on_error = OnError::disable;
  Plain module;
  const auto changes = std::make_shared<StepChanges>();
  fit(module, {changes, handle});
  CHECK(changes->changes[0].count_nonzero().item<std::int64_t>() == 0);
  CHECK(changes->changes[1].count_nonzero().item<std::int64_t>() == 3);
}

TEST_CASE("a rate that float32 can't hold ends the run, naming the factor") {
  InProcessPlugin plugin;
  plugin.on(Hook::on_train_start,
            [](const Caller& caller, const grapnel_Event*) { return set(caller, 1e300); });
  Plain module;
  CHECK_THROWS_WITH(fit(module, {plugin.handle()}),
                    Catch::Matchers::Contains("would be 0.05 times 1e+300"));
}

}  // namespace schedule_test
