#include "grapnel/optim/torch_optimizer.h"

#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <torch/optim/adagrad.h>
#include <torch/optim/adam.h>
#include <torch/optim/adamw.h>
#include <torch/optim/lbfgs.h>
#include <torch/optim/rmsprop.h>
#include <torch/optim/sgd.h>

#include <cmath>
#include <functional>

#include "catch.h"
#include "grapnel/base/error.h"
#include "grapnel/lr_schedulers.h"
#include "grapnel/optim.h"

namespace torch_optimizer_test {

using namespace grapnel;
using Catch::Contains;

namespace {

std::vector<at::Tensor> two_params() {
  return {at::tensor({1.0F, -2.0F, 3.0F}).requires_grad_(), at::tensor({0.5F}).requires_grad_()};
}

void set_gradients(const std::vector<at::Tensor>& params, int step) {
  for (const at::Tensor& param : params) {
    at::Tensor grad = at::ones(param.sizes());
    for (int k = 0; k < grad.numel(); ++k) {
      grad.data_ptr<float>()[k] = static_cast<float>(std::sin(1.3 * step + 0.8 * k));
    }
    param.mutable_grad() = grad;
  }
}

std::vector<float> values(const at::Tensor& tensor) {
  return {tensor.const_data_ptr<float>(), tensor.const_data_ptr<float>() + tensor.numel()};
}

using Make = std::function<std::shared_ptr<torch::optim::Optimizer>(std::vector<at::Tensor>)>;

const std::vector<Make> kMakers = {
    [](auto p) {
      return std::make_shared<torch::optim::SGD>(p, torch::optim::SGDOptions(0.1).momentum(0.9));
    },
    [](auto p) {
      return std::make_shared<torch::optim::Adam>(p, torch::optim::AdamOptions(0.1).amsgrad(true));
    },
    [](auto p) {
      return std::make_shared<torch::optim::AdamW>(p, torch::optim::AdamWOptions(0.1));
    },
    [](auto p) {
      return std::make_shared<torch::optim::RMSprop>(
          p, torch::optim::RMSpropOptions(0.1).momentum(0.5).centered(true));
    },
    [](auto p) {
      return std::make_shared<torch::optim::Adagrad>(p, torch::optim::AdagradOptions(0.1));
    }};

// One step of LBFGS towards the valley of Rosenbrock's function.
double rosenbrock_step(Optimizer& optimizer, const at::Tensor& x) {
  const Closure closure = [&] {
    optimizer.zero_grad();
    const at::Tensor a = x[0], b = x[1];
    ClosureResult result{.loss = a.neg().add(1).square().add(b.sub(a.square()).square().mul(100))};
    result.loss.backward();
    return result;
  };
  return optimizer.step(closure).loss.item().toDouble();
}

}  // namespace

TEST_CASE("LibTorch's own optimizers compute what ours do") {
  const auto a = two_params();
  const auto b = two_params();
  TorchOptimizer theirs(
      std::make_shared<torch::optim::Adam>(a, torch::optim::AdamOptions(0.05).betas({0.8, 0.99})));
  Adam ours(b, AdamOptions{.lr = 0.05, .beta1 = 0.8, .beta2 = 0.99});
  CHECK(theirs.type_name() == "Adam");
  CHECK(theirs.groups()[0].options.at("beta1") == 0.8);
  for (int step = 0; step < 10; ++step) {
    set_gradients(a, step);
    set_gradients(b, step);
    theirs.step();
    ours.step();
  }
  for (int k = 0; k < 3; ++k) CHECK(values(a[0])[k] == Approx(values(b[0])[k]).epsilon(1e-5));
}

TEST_CASE("LibTorch's own optimizers, saved and loaded, continue with the same bits") {
  for (const Make& make : kMakers) {
    const auto whole_params = two_params();
    TorchOptimizer whole(make(whole_params));
    INFO(whole.type_name());
    const auto resumed_params = two_params();
    StateDict saved;
    for (int step = 0; step < 6; ++step) {
      if (step == 3) {
        saved = snapshot(whole.state_dict());
        for (size_t i = 0; i < 2; ++i) resumed_params[i].detach().copy_(whole_params[i].detach());
      }
      set_gradients(whole_params, step);
      whole.step();
    }
    TorchOptimizer resumed(make(resumed_params));
    resumed.load_state_dict(saved);
    for (int step = 3; step < 6; ++step) {
      set_gradients(resumed_params, step);
      resumed.step();
    }
    for (size_t i = 0; i < 2; ++i) CHECK(values(whole_params[i]) == values(resumed_params[i]));
  }
}

TEST_CASE("LBFGS finds a minimum, and continues after loading with the same bits") {
  const auto make = [](const at::Tensor& over) {
    return std::make_shared<torch::optim::LBFGS>(
        std::vector{over},
        torch::optim::LBFGSOptions(0.5).max_iter(4).line_search_fn("strong_wolfe"));
  };
  const at::Tensor x = at::tensor({-1.0F, 1.5F}).requires_grad_();
  const at::Tensor y = at::tensor({0.0F, 0.0F}).requires_grad_();
  TorchOptimizer whole(make(x));
  StateDict saved;
  double loss = 0.0;
  for (int step = 0; step < 20; ++step) {
    if (step == 5) {
      saved = snapshot(whole.state_dict());
      y.detach().copy_(x.detach());
    }
    loss = rosenbrock_step(whole, x);
  }
  CHECK(loss < 1e-6);
  TorchOptimizer resumed(make(y));
  resumed.load_state_dict(saved);
  for (int step = 5; step < 20; ++step) rosenbrock_step(resumed, y);
  CHECK(values(x) == values(y));
}

TEST_CASE(
    "LBFGS needs a closure, takes one group, and skips when the first evaluation asks for it") {
  const at::Tensor x = at::tensor({2.0F}).requires_grad_();
  TorchOptimizer lbfgs(std::make_shared<torch::optim::LBFGS>(std::vector{x}));
  CHECK_THROWS_WITH(lbfgs.step(), Contains("needs a closure"));
  CHECK_THROWS_WITH(lbfgs.add_group({.params = two_params()}), Contains("one group"));
  int evaluations = 0;
  lbfgs.step([&] {
    ++evaluations;
    return ClosureResult{.loss = x.square().sum(), .skip_update = true};
  });
  lbfgs.step([&] {
    ++evaluations;
    return ClosureResult{};
  });
  CHECK(evaluations == 2);
  CHECK(values(x)[0] == 2.0F);
}

TEST_CASE("TorchOptimizer keeps a group's given options even if they equal LibTorch's defaults") {
  // torch::optim::Adam itself would take 0.001 for a value that was left out, and use 0.1.
  const auto first = two_params();
  const auto second = two_params();
  TorchOptimizer adam(std::make_shared<torch::optim::Adam>(first, torch::optim::AdamOptions(0.1)));
  adam.add_group({.name = "head", .params = second, .options = {{"lr", 1e-3}}});
  CHECK(adam.groups()[1].options.at("lr") == 1e-3);
  for (const auto& param : second) param.mutable_grad() = at::ones(param.sizes());
  adam.step();
  CHECK(values(second[0])[0] == Approx(0.999));
  CHECK(values(first[0])[0] == 1.0F);
}

TEST_CASE("Adagrad takes a group that is added later") {
  const auto first = two_params();
  const auto second = two_params();
  TorchOptimizer adagrad(
      std::make_shared<torch::optim::Adagrad>(first, torch::optim::AdagradOptions(0.1)));
  adagrad.add_group({.params = second});
  set_gradients(second, 1);
  adagrad.step();
  CHECK(values(second[0])[0] == Approx(0.9));
}

TEST_CASE("schedulers change the learning rates of LibTorch's optimizers") {
  const auto params = two_params();
  const auto held = std::make_shared<torch::optim::SGD>(params, torch::optim::SGDOptions(0.5));
  const auto sgd = std::make_shared<TorchOptimizer>(held);
  StepLR scheduler(sgd, 1, 0.5);
  scheduler.step();
  sgd->step();
  CHECK(held->param_groups()[0].options().get_lr() == 0.25);
}

TEST_CASE("a state that doesn't fit a LibTorch optimizer is refused and nothing changes") {
  const auto params = two_params();
  TorchOptimizer adam(std::make_shared<torch::optim::Adam>(params, torch::optim::AdamOptions(0.1)));
  set_gradients(params, 0);
  adam.step();
  const StateDict good = snapshot(adam.state_dict());
  StateDict bad = good;
  bad["state"].to_dict()["0"].to_dict()["exp_avg"] = at::ones({7});
  CHECK_THROWS_AS(adam.load_state_dict(bad), CheckpointError);
  CHECK_THROWS_WITH(adam.load_state_dict(bad), Contains("'exp_avg'") && Contains("[7]"));
  bad = good;
  bad["state"].to_dict().erase("1");
  CHECK_THROWS_WITH(adam.load_state_dict(bad), Contains("of parameter 1 is missing"));
  bad = good;
  bad["groups"] = StateList{};
  CHECK_THROWS_AS(adam.load_state_dict(bad), CheckpointError);
  const StateDict after = adam.state_dict();
  CHECK(values(after.at("state").to_dict().at("0").to_dict().at("exp_avg").to_tensor()) ==
        values(good.at("state").to_dict().at("0").to_dict().at("exp_avg").to_tensor()));
  CHECK_THROWS_AS(TorchOptimizer(nullptr), ConfigError);
  CHECK_THROWS_WITH(adam.add_group({.params = params}), Contains("already"));
}

}  // namespace torch_optimizer_test
