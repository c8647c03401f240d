#include "iteration_timer.h"

#include <sstream>

#include "catch.h"
#include "grapnel/fabric.h"
#include "toy.h"

namespace iteration_timer_test {

using namespace grapnel;
using namespace grapnel::test;

TEST_CASE("the timer prints how long each iteration of a Fabric's loop took") {
  ManualClock clock;
  std::ostringstream out;
  Fabric fabric({.callbacks = {std::make_shared<IterationTimer>(out)}, .clock = &clock});
  for (int64_t i = 0; i < 2; ++i) {
    fabric.call("on_train_batch_start");
    clock.advance(0.25 + static_cast<double>(i));
    fabric.call("on_train_batch_end", arg("loss", 0.5), arg("output", at::ones({2})));
    clock.advance(10);  // between two iterations
  }
  CHECK(out.str() == "iteration 0 took 250.0 ms\niteration 1 took 1250.0 ms\n");
}

TEST_CASE("the same timer prints how long each iteration of a Trainer took") {
  ManualClock clock;
  std::ostringstream out;
  struct SlowModule : ToyModule {
    StepOutput training_step(Batch& batch, int64_t batch_idx) override {
      clock->advance(0.5);
      return ToyModule::training_step(batch, batch_idx);
    }
    ManualClock* clock = nullptr;
  } module;
  module.clock = &clock;
  TrainerOptions options = quiet(1);
  options.clock = &clock;
  Trainer trainer(options, {std::make_shared<IterationTimer>(out)});
  trainer.fit(module, std::make_shared<ToyLoader>(2));
  CHECK(out.str() == "iteration 0 took 500.0 ms\niteration 1 took 500.0 ms\n");
}

}  // namespace iteration_timer_test
