// module.forward: the model run by a plugin, which leaves no trace in the training.
#include <ATen/core/grad_mode.h>
#include <grapnel/ext/module.h>

#include <set>

#include <grapnel/layer_observer.h>

#include "catch.h"
#include "support/in_process_plugin.h"
#include "support/toy_training.h"

namespace forward_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

// In training mode it draws random numbers and counts its calls in a buffer.
class ModedModule final : public ToyModule {
 public:
  ModedModule() {
    calls = at::zeros({}, at::kLong);
    view_.add({"calls", calls, /*is_parameter=*/false});
  }
  at::Tensor forward(const at::Tensor& x) override {
    grad_was_recorded = grad_was_recorded || (in_plugin && c10::GradMode::is_enabled());
    watched = watched || (in_plugin && LayerObserver::watching());
    if (throws && in_plugin) throw std::runtime_error("no forward today");
    if (grows && in_plugin) calls.resize_({4}).fill_(3);
    if (training) calls.add_(1);
    return ToyModule::forward(training ? at::dropout(x, 0.5, true) : x);
  }
  void train(bool mode) override { training = mode; }
  std::vector<std::pair<std::string, bool>> training_modes() const override {
    return {{"", training}};
  }
  void set_training_modes(const std::vector<std::pair<std::string, bool>>& modes) override {
    if (forgets_modes) throw std::runtime_error("which modes?");
    for (const auto& [name, mode] : modes) training = mode;
  }

  at::Tensor calls;
  bool training = true, in_plugin = false, throws = false, grows = false, forgets_modes = false;
  bool grad_was_recorded = false, watched = false;
};

class Watcher final : public LayerObserver {
 public:
  void on_forward(const void*, const TensorTree&, const TensorTree&) override {}
};

struct Run {
  ModedModule module;
  std::vector<std::int32_t> statuses;
  std::vector<std::vector<double>> outputs;

  // The weight after a training in which the plugin does `what` in a hook.
  at::Tensor fit(Hook hook, const InProcessPlugin::HookFunction& what) {
    InProcessPlugin plugin;
    plugin.on(hook, [&](const Caller& caller, const grapnel_Event* event) {
      module.in_plugin = true;
      const std::int32_t status = what(caller, event);
      module.in_plugin = false;
      return status;
    });
    at::manual_seed(7);
    Trainer trainer(quiet(2), {plugin.handle()});
    trainer.fit(module, toy_data());
    return module.weight.detach().clone();
  }

  std::int32_t forward(const Caller& caller, std::int32_t mode, std::uint64_t inputs = 1,
                       std::uint64_t results = 1) {
    grapnel_tensor* input = caller.floats({1, 2, 3});
    std::vector<grapnel_value> reshaped(1);
    const std::vector<std::int64_t> sizes = {1, 3};
    grapnel_value size{};
    size.tag = GRAPNEL_VALUE_I64_LIST;
    size.size = sizes.size();
    size.u.i64s = sizes.data();
    REQUIRE(caller.call("aten::reshape", "", {value_of(input), size}, reshaped) == GRAPNEL_OK);
    grapnel_tensor* const given[2] = {reshaped[0].u.tensor, reshaped[0].u.tensor};
    grapnel_tensor* output[2] = {};
    const std::int32_t status =
        caller.module().forward(caller.host, mode, given, inputs, output, results);
    statuses.push_back(status);
    if (output[0] != nullptr) {
      outputs.push_back(caller.values(output[0]));
      caller.tensors().release(caller.host, output[0]);
    }
    caller.tensors().release(caller.host, input);
    caller.tensors().release(caller.host, reshaped[0].u.tensor);
    return GRAPNEL_OK;
  }
};

at::Tensor alone() {
  return Run().fit(Hook::on_train_batch_end,
                   [](const Caller&, const grapnel_Event*) { return GRAPNEL_OK; });
}

}  // namespace

TEST_CASE("a forward pass of a plugin leaves weights, buffers, modes and random numbers alone") {
  const at::Tensor expected = alone();
  for (const std::int32_t mode : {GRAPNEL_FORWARD_AS_IS, GRAPNEL_FORWARD_EVAL}) {
    for (const Hook hook : {Hook::on_train_batch_start, Hook::on_before_backward,
                            Hook::on_train_batch_end, Hook::on_validation_batch_end}) {
      INFO(mode << " " << static_cast<int>(hook));
      Run run;
      const Watcher watcher;
      const LayerObserver::Scope watching(const_cast<Watcher&>(watcher));
      const at::Tensor weight = run.fit(hook, [&](const Caller& caller, const grapnel_Event*) {
        const std::int64_t calls = run.module.calls.item<std::int64_t>();
        const bool training = run.module.training;
        run.forward(caller, mode);
        CHECK(run.module.calls.item<std::int64_t>() == calls);
        CHECK(run.module.training == training);
        return GRAPNEL_OK;
      });
      CHECK(run.outputs.size() >= 4);
      CHECK(at::equal(weight, expected));
      CHECK_FALSE(run.module.grad_was_recorded);
      CHECK_FALSE(run.module.watched);
    }
  }
}

TEST_CASE("a buffer that a forward pass resizes has its former size and values again") {
  const auto calls_of = [](bool grows) {
    Run run;
    run.module.grows = grows;
    run.fit(Hook::on_train_batch_end, [&](const Caller& caller, const grapnel_Event*) {
      return run.forward(caller, GRAPNEL_FORWARD_EVAL);
    });
    REQUIRE_FALSE(run.statuses.empty());
    for (const std::int32_t status : run.statuses) CHECK(status == GRAPNEL_OK);
    return run.module.calls;
  };
  const at::Tensor calls = calls_of(true);
  CHECK(calls.dim() == 0);
  CHECK(calls.equal(calls_of(false)));
}

TEST_CASE("a model that can't take its modes back after a forward pass doesn't end the process") {
  const CapturedLog log;
  Run run;
  run.module.forgets_modes = true;
  run.fit(Hook::on_train_batch_end, [&](const Caller& caller, const grapnel_Event*) {
    return run.forward(caller, GRAPNEL_FORWARD_AS_IS);
  });
  CHECK(run.statuses.front() == GRAPNEL_OK);
  CHECK_THAT(log.text(), Catch::Contains("module.forward") && Catch::Contains("which modes?"));
}

TEST_CASE("a forward pass in eval mode gives what the model computes with its weights") {
  Run run;
  std::vector<double> weights;
  run.fit(Hook::on_train_batch_end, [&](const Caller& caller, const grapnel_Event*) {
    run.forward(caller, GRAPNEL_FORWARD_EVAL);
    const at::Tensor x = at::arange(1, 4, at::kFloat).view({1, 3});
    const at::NoGradGuard no_grad;
    weights.push_back((x.mm(run.module.weight) + run.module.bias).item<double>());
    return GRAPNEL_OK;
  });
  REQUIRE(run.outputs.size() == 6);
  for (std::size_t i = 0; i < 6; ++i) CHECK(run.outputs[i] == std::vector<double>{weights[i]});
}

TEST_CASE("the training's mode is the plugin's with AS_IS, and its own random numbers repeat") {
  const auto outputs = [] {
    Run run;
    run.fit(Hook::on_train_batch_end, [&](const Caller& caller, const grapnel_Event*) {
      return run.forward(caller, GRAPNEL_FORWARD_AS_IS);
    });
    return run.outputs;
  };
  const auto first = outputs();
  CHECK(first == outputs());
  CHECK(std::set(first.begin(), first.end()).size() > 1);
}

TEST_CASE(
    "a model that throws in a plugin's forward pass is put back, and the error is the host's") {
  const CapturedLog log;
  Run run;
  run.module.throws = true;
  run.fit(Hook::on_train_batch_end, [&](const Caller& caller, const grapnel_Event*) {
    const bool training = run.module.training;
    run.forward(caller, GRAPNEL_FORWARD_EVAL);
    CHECK(run.module.training == training);
    return GRAPNEL_OK;
  });
  CHECK(run.statuses == std::vector<std::int32_t>(6, GRAPNEL_PENDING));
  CHECK_THAT(log.text(), Catch::Contains("no forward today"));
}

TEST_CASE("a forward pass of what the host can't run is refused by its kind") {
  const CapturedLog log;
  Run run;
  run.fit(Hook::on_train_start, [&](const Caller& caller, const grapnel_Event*) {
    run.forward(caller, 7);
    run.forward(caller, GRAPNEL_FORWARD_EVAL, 2);
    run.forward(caller, GRAPNEL_FORWARD_EVAL, 0);
    run.forward(caller, GRAPNEL_FORWARD_EVAL, 1, 2);
    run.forward(caller, GRAPNEL_FORWARD_EVAL, 1, 0);
    return GRAPNEL_OK;
  });
  CHECK(run.statuses == std::vector<std::int32_t>{GRAPNEL_UNSUPPORTED, GRAPNEL_UNSUPPORTED,
                                                  GRAPNEL_UNSUPPORTED, GRAPNEL_INVALID_ARGUMENT,
                                                  GRAPNEL_OK});
  InProcessPlugin plugin;
  plugin.init = [](const Caller& caller) {
    grapnel_tensor* input = caller.floats({1});
    grapnel_tensor* output = nullptr;
    CHECK(caller.module().forward(caller.host, GRAPNEL_FORWARD_EVAL, &input, 1, &output, 1) ==
          GRAPNEL_NOT_NOW);
    return caller.tensors().release(caller.host, input);
  };
  plugin.make();
}

}  // namespace forward_test
