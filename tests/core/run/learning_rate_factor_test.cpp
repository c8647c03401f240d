// Callback::learning_rate_factor: what a step is made with, in every kind of loop.
#include <torch/optim/lbfgs.h>

#include <memory>
#include <vector>

#include "catch.h"
#include "grapnel/fabric.h"
#include "grapnel/optim/torch_optimizer.h"
#include "toy.h"

namespace learning_rate_factor_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Contains;

namespace {

struct Factor final : Callback {
  explicit Factor(double value) : factor(value) {}
  double learning_rate_factor(std::size_t optimizer, std::size_t group) const override {
    asked_for = {optimizer, group};
    return factor;
  }
  void on_before_optimizer_step(OptimizerEvent& event) override {
    options.push_back(event.optimizer.groups()[0].options.at("lr"));
  }
  double factor;
  mutable std::pair<std::size_t, std::size_t> asked_for{9, 9};
  std::vector<double> options;  // "lr" right before each step
};

class Manual final : public ToyModule {
 public:
  Manual() { automatic_optimization = false; }
  StepOutput training_step(Batch& batch, std::int64_t) override {
    optimizers().zero_grad();
    manual_backward(loss_of(batch));
    optimizers().step();
    return {};
  }
};

class Lbfgs final : public ToyModule {
 public:
  OptimizerConfig configure_optimizers() override {
    return std::make_shared<TorchOptimizer>(
        std::make_shared<torch::optim::LBFGS>(std::vector<at::Tensor>{weight, bias}));
  }
};

}  // namespace

TEST_CASE("under manual optimization a factor of 0 makes steps that change nothing") {
  const auto zero = std::make_shared<Factor>(0);
  Manual module;
  const at::Tensor before = module.weight.detach().clone();
  Trainer trainer(quiet(1), {zero});
  trainer.fit(module, toy_data());
  CHECK(module.weight.equal(before));
  CHECK(trainer.global_step() == 3);
  CHECK(zero->options == std::vector<double>(3, 0.05));
  CHECK(zero->asked_for == std::pair<std::size_t, std::size_t>(0, 0));
}

TEST_CASE("an optimizer that evaluates the loss several times shows hooks its own rate") {
  const auto zero = std::make_shared<Factor>(0);
  Lbfgs module;
  const at::Tensor before = module.weight.detach().clone();
  Trainer(quiet(1), {zero}).fit(module, toy_data(1));
  CHECK(module.weight.equal(before));
  REQUIRE_FALSE(zero->options.empty());
  CHECK(zero->options == std::vector<double>(zero->options.size(), 1.0));
}

TEST_CASE("in a loop of the user's own a factor counts too") {
  for (const bool with_closure : {false, true}) {
    const auto zero = std::make_shared<Factor>(0);
    Fabric fabric({.callbacks = {zero}});
    ToyModule module;
    const at::Tensor before = module.weight.detach().clone();
    auto made = module.configure_optimizers();
    auto optimizer = fabric.setup(module, made.optimizers[0]);
    const at::Tensor loss = module.weight.square().sum();
    if (with_closure) {
      optimizer.step([&]() -> ClosureResult {
        fabric.backward(loss);
        return {loss};
      });
    } else {
      fabric.backward(loss);
      optimizer.step();
    }
    CHECK(module.weight.equal(before));
    CHECK(made.optimizers[0]->groups()[0].options.at("lr") == 0.05);
  }
}

TEST_CASE("a factor of a callback that can't be one ends the run, naming it") {
  ToyModule module;
  Trainer trainer(quiet(1), {std::make_shared<Factor>(-1)});
  CHECK_THROWS_WITH(trainer.fit(module, toy_data()),
                    Contains("Factor multiplies the learning rate of optimizer 0, group 0, by -1"));
}

TEST_CASE("factors that make a rate infinite in float32 end the run, naming their callbacks") {
  ToyModule module;
  Trainer trainer(quiet(1), {std::make_shared<Factor>(1e30), std::make_shared<Factor>(1e20)});
  CHECK_THROWS_WITH(trainer.fit(module, toy_data()),
                    Contains("(of Factor: 1e+30, Factor: 1e+20)") && Contains("must be at most"));
}

}  // namespace learning_rate_factor_test
