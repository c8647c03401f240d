// Windows of accumulated gradients in which batches are left out.
#include <ATen/core/grad_mode.h>

#include <set>

#include "../support/recorder.h"
#include "catch.h"
#include "grapnel/optim/torch_optimizer.h"
#include "toy.h"

#include <torch/optim/lbfgs.h>

namespace accumulation_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

// A ToyLoader some of whose batches are empty.
class LeakyLoader final : public DataLoader {
 public:
  LeakyLoader(int64_t batches, std::set<int64_t> empty)
      : inner_(batches), empty_(std::move(empty)) {}
  std::optional<int64_t> size() const override { return inner_.size(); }
  void start(int64_t epoch) override {
    inner_.start(epoch);
    next_ = 0;
  }
  std::optional<Batch> next() override {
    std::optional<Batch> batch = inner_.next();
    if (batch.has_value() && empty_.contains(next_++)) return Batch();
    return batch;
  }

 private:
  ToyLoader inner_;
  std::set<int64_t> empty_;
  int64_t next_ = 0;
};

// What the optimizer is given at its steps.
struct Steps {
  std::vector<at::Tensor> gradients;  // of the weight
  std::vector<at::Tensor> expected;   // of the batches of the window alone
  int zeroed = 0;
};

// An epoch of four batches in windows of two, without some of them.
Steps steps_without(const std::set<int64_t>& skipped, bool by_request) {
  class Net : public ToyModule {
   public:
    StepOutput training_step(Batch& batch, int64_t index) override {
      at::Tensor loss = (forward(batch[0]) - batch[1]).pow(2).mean() / 2;
      loss.backward();
      at::Tensor own = weight.grad() - before;
      window = window.defined() ? window + own : own;
      weight.mutable_grad() = before.clone();
      return ToyModule::training_step(batch, index);
    }
    at::Tensor before;  // the gradient before the batch
    at::Tensor window;
  };
  Net module;
  Steps steps;
  Trace trace;
  auto recorder = std::make_shared<Recorder>(trace);
  int64_t batch = 0;
  recorder->script = [&](const std::string& hook, Trainer& trainer) {
    if (hook == "on_train_batch_start") {
      const at::Tensor& grad = module.weight.grad();
      module.before = grad.defined() ? grad.clone() : at::zeros({3, 1});
      if (by_request && skipped.contains(batch)) trainer.request(RequestKind::skip_batch, "a test");
      ++batch;
    }
    if (hook == "on_before_zero_grad") ++steps.zeroed;
    if (hook == "on_before_optimizer_step") {
      steps.gradients.push_back(module.weight.grad().clone());
      steps.expected.push_back(std::exchange(module.window, {}));
    }
  };
  TrainerOptions options = quiet(1);
  options.accumulate_grad_batches = 2;
  Trainer trainer(options, {recorder});
  auto loader = std::make_shared<LeakyLoader>(4, by_request ? std::set<int64_t>{} : skipped);
  trainer.fit(module, Data(loader, {}));
  CHECK(trainer.global_step() == static_cast<int64_t>(steps.gradients.size()));
  return steps;
}

}  // namespace

TEST_CASE(
    "an accumulation window whose first batch is skipped doesn't add to the previous window's "
    "gradients") {
  for (const bool by_request : {true, false}) {
    INFO((by_request ? "skip_batch" : "an empty batch"));
    const Steps steps = steps_without({2}, by_request);
    REQUIRE(steps.gradients.size() == 2);
    CHECK(steps.zeroed == 2);
    CHECK(at::allclose(steps.gradients[0], steps.expected[0]));
    CHECK(at::allclose(steps.gradients[1], steps.expected[1]));
  }
}

TEST_CASE(
    "an accumulation window whose last batch is skipped steps with the other batches' gradients") {
  for (const bool by_request : {true, false}) {
    INFO((by_request ? "skip_batch" : "an empty batch"));
    const Steps steps = steps_without({1, 3}, by_request);
    REQUIRE(steps.gradients.size() == 2);
    CHECK(steps.zeroed == 2);
    CHECK(at::allclose(steps.gradients[0], steps.expected[0]));
    CHECK(at::allclose(steps.gradients[1], steps.expected[1]));
  }
}

TEST_CASE("an accumulation window whose batches are all skipped has no step") {
  CHECK(steps_without({0, 1}, true).gradients.size() == 1);
  CHECK(steps_without({0, 1}, false).gradients.size() == 1);
}

TEST_CASE("an optimizer that evaluates its loss several times is refused beside accumulation") {
  struct Net : ToyModule {
    OptimizerConfig configure_optimizers() override {
      return std::make_shared<TorchOptimizer>(std::make_shared<torch::optim::LBFGS>(
          std::vector<at::Tensor>{weight, bias}, torch::optim::LBFGSOptions(0.5)));
    }
  };
  TrainerOptions options = quiet(2);
  Net alone;
  Trainer(options).fit(alone, toy_data(2));
  options.accumulate_grad_batches = 2;
  Net module;
  CHECK_THROWS_WITH(Trainer(options).fit(module, toy_data(2)),
                    Catch::Contains("LBFGS") && Catch::Contains("accumulate_grad_batches=2"));
}

TEST_CASE(
    "an optimizer that calls its closure again is refused within a window of several batches") {
  struct Twice : SGD {
    using SGD::SGD;
    std::string type_name() const override { return "Twice"; }
    ClosureResult step(const Closure& closure) override {
      closure();
      return SGD::step(closure);
    }
  };
  struct Net : ToyModule {
    OptimizerConfig configure_optimizers() override {
      return std::make_shared<Twice>(std::vector<at::Tensor>{weight, bias});
    }
  };
  TrainerOptions options = quiet(1);
  Net alone;
  Trainer(options).fit(alone, toy_data(2));
  options.accumulate_grad_batches = 2;
  Net module;
  CHECK_THROWS_WITH(Trainer(options).fit(module, toy_data(2)), Catch::Contains("Twice"));
}

}  // namespace accumulation_test
