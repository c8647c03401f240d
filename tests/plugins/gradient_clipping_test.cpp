// The plugin gradient_clipping in a real training: the gradients that the optimizer gets.
#include <ATen/ops/norm.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "catch.h"
#include "shipped_plugin.h"

namespace gradient_clipping_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

// All gradients in one vector before the plugin (a callback of the user's comes first), and when the
// step is made.
struct Gradients final : Callback {
  static at::Tensor of(Module& module) {
    auto& toy = dynamic_cast<ToyModule&>(module);
    return at::cat({toy.weight.grad().flatten(), toy.bias.grad().flatten()});
  }
  void on_before_optimizer_step(OptimizerEvent& event) override {
    before.push_back(of(event.module));
  }
  void on_after_optimizer_step(OptimizerEvent& event) override {
    after.push_back(of(event.module));
  }
  std::vector<at::Tensor> before, after;
};

std::shared_ptr<Gradients> fit(const std::string& parameters, Toy& toy) {
  const auto seen = std::make_shared<Gradients>();
  toy.fit({seen, shipped_plugin("gradient_clipping", parameters)});
  REQUIRE(seen->after.size() == 4);
  return seen;
}

std::shared_ptr<Gradients> fit(const std::string& parameters) {
  Toy toy;
  return fit(parameters, toy);
}

double norm(const at::Tensor& tensor, double p = 2) {
  return at::norm(tensor, p).item<double>();
}

}  // namespace

TEST_CASE("gradient_clipping scales gradients whose norm is too large, and no others") {
  for (const double p : {1.0, 2.0, 3.0}) {
    const auto seen = fit(R"({"clip_val": 0.1, "norm_type": )" + std::to_string(p) + "}");
    for (std::size_t i = 0; i < 4; ++i) {
      const double total = norm(seen->before[i], p);
      REQUIRE(total > 0.1);
      CHECK(norm(seen->after[i], p) == Approx(0.1).epsilon(1e-4));
      CHECK(at::allclose(seen->after[i], seen->before[i] * (0.1 / (total + 1e-6))));
    }
  }
  const auto seen = fit(R"({"clip_val": 1000})");
  for (std::size_t i = 0; i < 4; ++i) CHECK(seen->after[i].equal(seen->before[i]));
}

TEST_CASE("gradient_clipping takes the largest magnitude as a norm, too") {
  const auto seen = fit(R"({"clip_val": 0.1, "norm_type": "inf"})");
  const double largest = seen->before[0].abs().max().item<double>();
  CHECK(seen->after[0].abs().max().item<double>() == Approx(0.1).epsilon(1e-4));
  CHECK(at::allclose(seen->after[0], seen->before[0] * (0.1 / (largest + 1e-6))));
}

TEST_CASE("gradient_clipping clamps each element") {
  const auto seen = fit(R"({"clip_val": 0.05, "algorithm": "value"})");
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(seen->after[i].equal(seen->before[i].clamp(-0.05, 0.05)));
  }
}

TEST_CASE("gradient_clipping's noise has its deviation, and leaves the training's numbers alone") {
  struct Wide final : ToyModule {
    Wide() {
      weight = at::zeros({3, 4000}).set_requires_grad(true);
      view_ = StateView();
      view_.add({"weight", weight});
      view_.add({"bias", bias});
      dropout = 0.5;  // which draws from the training's
    }
  };
  const auto train = [](std::vector<CallbackHandle> callbacks) {
    const auto seen = std::make_shared<Gradients>();
    callbacks.insert(callbacks.begin(), seen);
    TrainerOptions options = quiet(1);
    options.seed = 7;
    Wide module;
    Trainer(options, callbacks).fit(module, toy_data(2));
    return seen;
  };
  const std::string noise = R"({"clip_val": null, "noise": 0.5, "noise_decay": 2})";
  const auto plain = train({});
  const auto noisy = train({shipped_plugin("gradient_clipping", noise)});
  const auto again = train({shipped_plugin("gradient_clipping", noise)});
  CHECK(noisy->before[0].equal(plain->before[0]));
  const at::Tensor first = noisy->after[0] - noisy->before[0];
  const at::Tensor second = noisy->after[1] - noisy->before[1];
  CHECK(first.std().item<double>() == Approx(0.5).epsilon(0.05));
  CHECK(second.std().item<double>() == Approx(0.25).epsilon(0.05));
  CHECK(std::abs(first.mean().item<double>()) < 0.02);
  CHECK(noisy->after[1].equal(again->after[1]));
}

TEST_CASE("a training with noise that resumes ends with the same bits") {
  const TempDir directory;
  const auto file = (directory / "a.ckpt").string();
  const auto train = [&](std::int64_t epochs, const std::string& from) {
    Toy toy;
    toy.options.max_epochs = epochs;
    toy.options.seed = 3;
    toy.fit({shipped_plugin("gradient_clipping", R"({"clip_val": 0.2, "noise": 0.1})")},
            {.ckpt_path = from});
    if (epochs == 1) toy.trainer->save_checkpoint(file);
    return toy.module.weight.detach().clone();
  };
  const at::Tensor whole = train(2, "");
  CHECK_FALSE(train(1, "").equal(whole));
  CHECK(train(2, file).equal(whole));
}

TEST_CASE("gradient_clipping refuses numbers that are infinite in float32") {
  for (const char* number : {"1e300", "\"inf\""}) {
    INFO(number);
    CHECK_THROWS_WITH(
        shipped_plugin("gradient_clipping", std::string("{\"noise\": ") + number + "}"),
        Catch::Matchers::Contains("noise"));
  }
}

TEST_CASE("gradient_clipping with nothing to do is refused, with what to set") {
  CHECK_THROWS_WITH(shipped_plugin("gradient_clipping", R"({"clip_val": null})"),
                    Catch::Matchers::Contains("clip_val is null and noise is 0"));
}

}  // namespace gradient_clipping_test
