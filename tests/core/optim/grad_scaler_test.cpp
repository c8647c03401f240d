// The arithmetic of the gradient scaler; the recorded numbers are those of torch.amp.GradScaler.
#include "grapnel/grad_scaler.h"

#include <ATen/ATen.h>

#include <limits>

#include "catch.h"
#include "grapnel/base/error.h"
#include "grapnel/optim/sgd.h"

namespace grad_scaler_test {

using namespace grapnel;

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

struct Parameter {
  at::Tensor tensor = at::ones({2}).set_requires_grad(true);
  SGD optimizer{std::vector<at::Tensor>{tensor}, SGDOptions{.lr = 1.0}};

  void set_grad(const std::vector<float>& values) { tensor.mutable_grad() = at::tensor(values); }
};

}  // namespace

TEST_CASE("GradScaler multiplies the loss by its scale and divides the gradients") {
  GradScaler scaler(at::kCPU, {.init_scale = 1024});
  CHECK(scaler.scale(at::full({}, 0.5)).item<float>() == 512);
  Parameter parameter;
  parameter.set_grad({2048, -512});
  scaler.unscale(parameter.optimizer);
  CHECK(at::equal(parameter.tensor.grad(), at::tensor({2.0F, -0.5F})));
  CHECK_FALSE(scaler.found_inf());
}

TEST_CASE("an overflow lowers GradScaler's scale, a number of good steps in a row raises it") {
  GradScaler scaler(at::kCPU, {.init_scale = 8, .growth_interval = 3});
  Parameter parameter;
  const auto step = [&](float value) {
    parameter.set_grad({value, 1});
    scaler.unscale(parameter.optimizer);
    const bool overflowed = scaler.found_inf();
    scaler.update();
    return overflowed;
  };
  CHECK_FALSE(step(1));
  CHECK_FALSE(step(1));
  CHECK(step(kInf));
  CHECK(scaler.current_scale() == 4);  // and the count of good steps begins anew
  CHECK_FALSE(step(1));
  CHECK_FALSE(step(1));
  CHECK(scaler.current_scale() == 4);
  CHECK_FALSE(step(1));
  CHECK(scaler.current_scale() == 8);
  CHECK(step(std::numeric_limits<float>::quiet_NaN()));
  CHECK(scaler.current_scale() == 4);
}

TEST_CASE("GradScaler's defaults are those of torch.amp.GradScaler") {
  const StateDict state = GradScaler(at::kCPU).state_dict();
  CHECK(state.at("scale").to_double() == 65536.0);
  CHECK(state.at("growth_factor").to_double() == 2.0);
  CHECK(state.at("backoff_factor").to_double() == 0.5);
  CHECK(state.at("growth_interval").to_int() == 2000);
  CHECK(state.at("growth_tracker").to_int() == 0);
}

TEST_CASE("GradScaler's state is restored") {
  GradScaler scaler(at::kCPU, {.init_scale = 16, .growth_interval = 2});
  Parameter parameter;
  parameter.set_grad({1, 1});
  scaler.unscale(parameter.optimizer);
  scaler.update();
  GradScaler other(at::kCPU);
  other.load_state_dict(scaler.state_dict());
  parameter.set_grad({1, 1});
  other.unscale(parameter.optimizer);
  other.update();
  CHECK(other.current_scale() == 32);

  StateDict wrong = scaler.state_dict();
  wrong["scale"] = -1.0;
  CHECK_THROWS_AS(other.load_state_dict(wrong), CheckpointError);
  CHECK(other.current_scale() == 32);
}

TEST_CASE("GradScaler refuses float16 gradients and options out of range") {
  GradScaler scaler(at::kCPU);
  const at::Tensor half = at::ones({2}, at::kHalf).set_requires_grad(true);
  SGD optimizer(std::vector<at::Tensor>{half}, SGDOptions{.lr = 1.0});
  half.mutable_grad() = at::ones({2}, at::kHalf);
  CHECK_THROWS_WITH(scaler.unscale(optimizer), Catch::Contains("float16"));
  CHECK_THROWS_WITH(GradScaler(at::kCPU, {.growth_factor = 1}), Catch::Contains("growth_factor"));
  CHECK_THROWS_WITH(GradScaler(at::kCPU, {.backoff_factor = 1}), Catch::Contains("backoff_factor"));
  CHECK_THROWS_AS(GradScaler(at::kCPU, {.init_scale = 0}), ConfigError);
  CHECK_THROWS_AS(GradScaler(at::kCPU, {.growth_interval = 0}), ConfigError);
}

}  // namespace grad_scaler_test
