// Parameters that toggle_optimizer froze are trainable again after every way out of a run.
#include "catch.h"
#include "grapnel/optim/sgd.h"
#include "toy.h"

namespace toggled_optimizer_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

// Steps two optimizers by itself, one for each parameter.
class TwoOptimizers : public ToyModule {
 public:
  TwoOptimizers() { automatic_optimization = false; }

  OptimizerConfig configure_optimizers() override {
    OptimizerConfig config;
    for (const at::Tensor& parameter : {weight, bias}) {
      config.optimizers.push_back(
          std::make_shared<SGD>(std::vector<at::Tensor>{parameter}, SGDOptions{.lr = 0.1}));
    }
    return config;
  }

  StepOutput training_step(Batch& batch, int64_t batch_idx) override {
    for (size_t i = 0; i < 2; ++i) {
      ManualOptimizer optimizer = optimizers(i);
      toggle_optimizer(optimizer);
      if (i == 1 && batch_idx == breaks_at) throw std::runtime_error("broken");
      if (i == 1 && batch_idx == interrupts_at) trainer().interrupt(15);
      at::Tensor loss = loss_of(batch);
      optimizer.zero_grad();
      manual_backward(loss);
      optimizer.step();
      if (!forgets) untoggle_optimizer(optimizer);
    }
    return {};
  }

  int64_t breaks_at = -1;
  int64_t interrupts_at = -1;
  bool forgets = false;
};

bool trainable(const TwoOptimizers& module) {
  return module.weight.requires_grad() && module.bias.requires_grad();
}

}  // namespace

TEST_CASE("parameters are trainable after an exception between toggle and untoggle") {
  TwoOptimizers module;
  module.breaks_at = 1;
  {
    Trainer trainer(quiet(1));
    CHECK_THROWS_WITH(trainer.fit(module, toy_data()), "broken");
    CHECK(trainable(module));
  }
  CHECK(trainable(module));
  module.breaks_at = -1;
  const at::Tensor before = module.weight.detach().clone();
  Trainer again(quiet(1));
  again.fit(module, toy_data());
  CHECK(again.global_step() == 6);
  CHECK_FALSE(at::equal(module.weight.detach(), before));
}

TEST_CASE("parameters are trainable after a signal, and after a run that forgot to untoggle") {
  TwoOptimizers module;
  module.interrupts_at = 1;
  module.forgets = true;
  Trainer trainer(quiet(1));
  CHECK_THROWS_AS(trainer.fit(module, toy_data()), Interrupted);
  CHECK(trainable(module));
  module.interrupts_at = -1;
  trainer.fit(module, toy_data());
  CHECK(trainable(module));
}

TEST_CASE("toggling trains each parameter by its own optimizer") {
  TwoOptimizers module;
  Trainer trainer(quiet(1));
  trainer.fit(module, toy_data());
  TwoOptimizers forgetful;
  forgetful.forgets = true;
  Trainer other(quiet(1));
  other.fit(forgetful, toy_data());
  CHECK(at::equal(module.weight, forgetful.weight));
  CHECK(at::equal(module.bias, forgetful.bias));
}

TEST_CASE("a module that is destroyed while its parameters are toggled leaves nothing to undo") {
  Trainer trainer(quiet(1));
  {
    TwoOptimizers module;
    trainer.fit(module, toy_data());
    module.toggle_optimizer(module.optimizers(0));
  }
  TwoOptimizers other;
  trainer.fit(other, toy_data());
  CHECK(trainable(other));
}

}  // namespace toggled_optimizer_test
