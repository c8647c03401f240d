// Extension optimizers: groups and their options by name.
#include <grapnel/ext/optimizers.h>

#include <algorithm>
#include <limits>

#include <ATen/ops/full_like.h>
#include <grapnel/grad_scaler.h>

#include "../../host/bridge/src/ext/gradient_scale.h"
#include "catch.h"
#include "support/in_process_plugin.h"
#include "support/toy_training.h"

namespace optimizers_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

const grapnel_optimizers& optimizers(const Caller& caller) {
  return caller.table<grapnel_optimizers>(GRAPNEL_EXT_OPTIMIZERS);
}

grapnel_string name(const char* value) {
  return text(std::string_view(value));
}

}  // namespace

TEST_CASE("a plugin can list optimizers, groups and options") {
  InProcessPlugin plugin;
  plugin.on(Hook::on_train_start, [](const Caller& caller, const grapnel_Event*) {
    const grapnel_optimizers& table = optimizers(caller);
    std::uint64_t count = 0, groups = 0;
    grapnel_string type{};
    CHECK(table.count(caller.host, &count) == GRAPNEL_OK);
    CHECK(count == 1);
    CHECK(table.name(caller.host, 0, &type) == GRAPNEL_OK);
    CHECK(text(type) == "SGD");
    CHECK(table.name(caller.host, 1, &type) == GRAPNEL_NOT_FOUND);
    CHECK(table.group_count(caller.host, 0, &groups) == GRAPNEL_OK);
    CHECK(groups == 1);
    const grapnel_optimizer_group* group = &caller.optimizer_group(0, 0);
    CHECK(group->parameter_count == 2);
    const grapnel_optimizer_group* absent = nullptr;
    CHECK(table.group(caller.host, 0, 1, &absent) == GRAPNEL_NOT_FOUND);
    CHECK(table.group(caller.host, 1, 0, &absent) == GRAPNEL_NOT_FOUND);
    CHECK(table.group(caller.host, 0, 0, nullptr) == GRAPNEL_INVALID_ARGUMENT);
    CHECK(absent == nullptr);
    std::vector<std::string> options;
    for (std::uint64_t i = 0; i < group->option_count; ++i) {
      grapnel_string option{};
      CHECK(table.option_name(caller.host, 0, 0, i, &option) == GRAPNEL_OK);
      options.push_back(text(option));
    }
    CHECK(std::count(options.begin(), options.end(), "lr") == 1);
    CHECK(std::count(options.begin(), options.end(), "momentum") == 1);
    std::int32_t unscaled = 0;
    CHECK(table.gradients_are_unscaled(caller.host, &unscaled) == GRAPNEL_OK);
    CHECK(unscaled == 1);
    return GRAPNEL_OK;
  });
  Toy toy;
  toy.fit({plugin.handle()});
}

TEST_CASE("an optimizer option set by a plugin takes effect with the next step") {
  InProcessPlugin plugin;
  plugin.on(Hook::on_train_start, [](const Caller& caller, const grapnel_Event*) {
    double lr = -1;
    const double nan = std::numeric_limits<double>::quiet_NaN();
    CHECK(optimizers(caller).get_option(caller.host, 0, 0, name("lr"), &lr) == GRAPNEL_OK);
    CHECK(lr == 0.05);
    CHECK(optimizers(caller).set_option(caller.host, 0, 0, name("lr"), nan) ==
          GRAPNEL_INVALID_ARGUMENT);
    CHECK(optimizers(caller).set_option(caller.host, 0, 0, name("moon"), 1) == GRAPNEL_NOT_FOUND);
    return optimizers(caller).set_option(caller.host, 0, 0, name("lr"), 0.0);
  });
  Toy toy;
  const at::Tensor before = toy.module.weight.detach().clone();
  toy.fit({plugin.handle()});
  CHECK(toy.module.weight.equal(before));
  CHECK(toy.trainer->optimizers()[0]->groups()[0].options.at("lr") == 0.0);
}

TEST_CASE("an optimizer option that the optimizer itself would refuse is refused, with its range") {
  CapturedLog log;
  InProcessPlugin plugin;
  plugin.on(Hook::on_train_start, [](const Caller& caller, const grapnel_Event*) {
    const auto set = [&](const char* option, double value) {
      return optimizers(caller).set_option(caller.host, 0, 0, name(option), value);
    };
    CHECK(set("lr", -1) == GRAPNEL_INVALID_ARGUMENT);
    CHECK(set("lr", 1e308) == GRAPNEL_INVALID_ARGUMENT);
    CHECK(set("momentum", -1) == GRAPNEL_INVALID_ARGUMENT);
    CHECK(set("weight_decay", -0.5) == GRAPNEL_INVALID_ARGUMENT);
    CHECK(set("nesterov", 0.5) == GRAPNEL_INVALID_ARGUMENT);
    CHECK(set("weight_decay", -std::numeric_limits<double>::infinity()) ==
          GRAPNEL_INVALID_ARGUMENT);
    CHECK(set("lr", 0.01) == GRAPNEL_OK);
    // Each is in its range, but not with the others.
    CHECK(set("nesterov", 1) == GRAPNEL_OK);
    CHECK(set("momentum", 0) == GRAPNEL_INVALID_ARGUMENT);
    CHECK(set("dampening", 0.5) == GRAPNEL_INVALID_ARGUMENT);
    CHECK(set("nesterov", 0) == GRAPNEL_OK);
    CHECK(set("dampening", 0.5) == GRAPNEL_OK);
    CHECK(set("nesterov", 1) == GRAPNEL_INVALID_ARGUMENT);
    return GRAPNEL_OK;
  });
  Toy toy;
  toy.fit({plugin.handle()});
  const auto& options = toy.trainer->optimizers()[0]->groups()[0].options;
  CHECK(options.at("lr") == 0.01);
  CHECK(options.at("momentum") == 0.9);
  CHECK(options.at("nesterov") == 0);
  CHECK(options.at("weight_decay") >= 0);
  CHECK(log.count("-1 for the option 'lr' of SGD, which must be at least 0") == 1);
}

TEST_CASE("an option can be set where others of its group don't go together already") {
  InProcessPlugin plugin;
  plugin.on(Hook::on_train_start, [](const Caller& caller, const grapnel_Event*) {
    CHECK(optimizers(caller).set_option(caller.host, 0, 0, name("weight_decay"), 0.1) ==
          GRAPNEL_OK);
    return GRAPNEL_OK;
  });
  struct Unfitting final : Callback {
    void on_fit_start(Event& event) override {
      ParamGroup& group = event.trainer.optimizers()[0]->groups()[0];
      group.options["nesterov"] = 1;
      group.options["momentum"] = 0;
    }
    void on_train_batch_start(TrainBatchStart& event) override {
      event.trainer.optimizers()[0]->groups()[0].options["nesterov"] = 0;
    }
  };
  Toy toy;
  toy.fit({std::make_shared<Unfitting>(), plugin.handle()});
  CHECK(toy.trainer->optimizers()[0]->groups()[0].options.at("weight_decay") == 0.1);
}

TEST_CASE("with loss scaling gradients are unscaled right before the step, unless one overflowed") {
  GradScaler scaler(at::kCPU, {.init_scale = 8});
  bridge::Call before_step, after_backward, custom;
  before_step.hook = custom.hook = Hook::on_before_optimizer_step;
  after_backward.hook = Hook::on_after_backward;
  custom.custom = true;
  CHECK(bridge::gradients_have_true_scale(nullptr, after_backward));

  ToyModule module;
  OptimizerConfig config = module.configure_optimizers();
  const auto unscale_gradient_of = [&](float value) {
    module.weight.mutable_grad() = at::full_like(module.weight, value);
    module.bias.mutable_grad() = at::full_like(module.bias, value);
    scaler.unscale(*config.optimizers[0]);
  };
  unscale_gradient_of(16);
  CHECK(bridge::gradients_have_true_scale(&scaler, before_step));
  CHECK_FALSE(bridge::gradients_have_true_scale(&scaler, after_backward));
  CHECK_FALSE(bridge::gradients_have_true_scale(&scaler, custom));
  scaler.update();
  unscale_gradient_of(std::numeric_limits<float>::infinity());
  CHECK_FALSE(bridge::gradients_have_true_scale(&scaler, before_step));
}

}  // namespace optimizers_test
