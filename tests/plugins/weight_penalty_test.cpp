// The plugin weight_penalty in a real training: the gradients of loss and penalty together.
#include <ATen/core/grad_mode.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/tensor.h>

#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "captured_log.h"
#include "catch.h"
#include "row_logger.h"
#include "shipped_plugin.h"

namespace weight_penalty_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

// Of the first backward pass.
struct FirstGradients final : Callback {
  void on_after_backward(Event& event) override {
    if (weight.defined()) return;
    auto& module = dynamic_cast<ToyModule&>(event.module);
    weight = module.weight.grad().clone();
    bias = module.bias.grad().clone();
  }
  at::Tensor weight, bias;
};

// The weight and the bias begin with these.
const std::vector<float> kWeight = {-0.5F, 0.25F, 1.0F};

std::shared_ptr<FirstGradients> fit(std::vector<CallbackHandle> callbacks,
                                    const std::shared_ptr<RowLogger>& logger = nullptr) {
  Toy toy;
  {
    const at::NoGradGuard no_grad;
    toy.module.weight.copy_(at::tensor(kWeight).view({3, 1}));
    toy.module.bias.fill_(2);
  }
  toy.options.log_every_n_steps = 1;
  if (logger != nullptr) toy.options.loggers = {logger};
  const auto seen = std::make_shared<FirstGradients>();
  callbacks.insert(callbacks.begin(), seen);
  toy.fit(callbacks);
  return seen;
}

}  // namespace

TEST_CASE("weight_penalty adds the gradients of both penalties, and logs them") {
  const auto logger = std::make_shared<RowLogger>("weight_penalty/");
  const auto plain = fit({});
  const auto with = fit({shipped_plugin("weight_penalty", R"({"l1": 0.5, "l2": 0.25})")}, logger);
  const at::Tensor weight = at::tensor(kWeight).view({3, 1});
  CHECK(at::allclose(with->weight, plain->weight + 0.5 * weight.sign() + 0.25 * weight));
  CHECK(at::allclose(with->bias, plain->bias + 0.5 + 0.25 * 2));
  CHECK(logger->values("weight_penalty/l1").at(0) == Approx(0.5 * (1.75 + 2)));
  CHECK(logger->values("weight_penalty/l2").at(0) == Approx(0.125 * (0.25 + 0.0625 + 1 + 4)));
}

TEST_CASE("weight_penalty with a label adds its own term, and logs it under a name of its own") {
  const auto logger = std::make_shared<RowLogger>("weight_penalty");
  const auto plain = fit({});
  const auto with = fit({shipped_plugin("weight_penalty", R"({"l2": 0.25})"),
                         shipped_plugin("weight_penalty", R"({"l2": 0.5, "min_dim": 2})", "b")},
                        logger);
  const at::Tensor weight = at::tensor(kWeight).view({3, 1});
  CHECK(at::allclose(with->weight, plain->weight + 0.75 * weight));
  CHECK(logger->values("weight_penalty/l2").at(0) == Approx(0.125 * (0.25 + 0.0625 + 1 + 4)));
  CHECK(logger->values("weight_penalty_b/l2").at(0) == Approx(0.25 * (0.25 + 0.0625 + 1)));
}

TEST_CASE("weight_penalty can leave biases out") {
  const auto plain = fit({});
  const auto with = fit({shipped_plugin("weight_penalty", R"({"l2": 0.25, "min_dim": 2})")});
  CHECK_FALSE(with->weight.equal(plain->weight));
  CHECK(with->bias.equal(plain->bias));
}

TEST_CASE("weight_penalty leaves weights that are not finite to the training and its guards") {
  const auto fit_from = [](float weight, std::vector<CallbackHandle> callbacks) {
    Toy toy;
    {
      const at::NoGradGuard no_grad;
      toy.module.weight.fill_(weight);
    }
    toy.fit(callbacks);
    return toy.module.bias.detach().clone();
  };
  const auto penalty = [] {
    return shipped_plugin("weight_penalty", R"({"l1": 0.5, "l2": 0.25})");
  };
  for (const float weight : {std::numeric_limits<float>::quiet_NaN(), 1e30F}) {
    INFO(weight);
    const CapturedLog log;
    const at::Tensor with = fit_from(weight, {penalty()});
    CHECK(at::equal(with.isnan(), fit_from(weight, {}).isnan()));
    CHECK(log.count("the penalty is not finite") == 1);
  }
}

TEST_CASE("weight_penalty says once that no parameter is penalized") {
  const CapturedLog log;
  fit({shipped_plugin("weight_penalty", R"({"min_dim": 99})")});
  CHECK(log.count("no trainable parameter has min_dim=99 dimensions or more") == 1);
}

TEST_CASE("weight_penalty with nothing to add is refused, with what to set") {
  CHECK_THROWS_WITH(shipped_plugin("weight_penalty", R"({"l2": 0})"),
                    Catch::Matchers::Contains("l1 and l2 are 0"));
}

}  // namespace weight_penalty_test
