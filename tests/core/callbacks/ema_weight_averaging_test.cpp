#include "grapnel/callbacks/ema_weight_averaging.h"

#include "catch.h"
#include "grapnel/base/error.h"
#include "toy.h"

namespace ema_weight_averaging_test {

using namespace grapnel;
using namespace grapnel::test;

TEST_CASE("EMAWeightAveraging copies the first weights, then moves by 1 - decay towards them") {
  class StepWeights final : public Callback {
   public:
    void on_after_optimizer_step(OptimizerEvent& event) override {
      seen.push_back(event.module.state_view().find("weight")->tensor.detach().clone());
    }
    std::vector<at::Tensor> seen;
  };
  ToyModule module;
  auto steps = std::make_shared<StepWeights>();
  Trainer trainer(
      quiet(1),
      {std::make_shared<EMAWeightAveraging>(EMAWeightAveragingOptions{.decay = 0.75}), steps});
  trainer.fit(module, toy_data());
  REQUIRE(steps->seen.size() == 3);
  at::Tensor expected = steps->seen[0];
  for (size_t i = 1; i < 3; ++i) expected = expected * 0.75 + steps->seen[i] * 0.25;
  CHECK(at::allclose(module.weight, expected));
}

TEST_CASE(
    "EMAWeightAveraging updates from update_starting_at_step and update_starting_at_epoch on") {
  EMAWeightAveraging every_third({.update_every_n_steps = 3, .update_starting_at_step = 4});
  CHECK_FALSE(every_third.should_update(3, {}));
  CHECK(every_third.should_update(6, {}));
  CHECK_FALSE(every_third.should_update({}, 6));
  EMAWeightAveraging epochs({.update_every_n_steps = 0, .update_starting_at_epoch = 2});
  CHECK_FALSE(epochs.should_update(0, {}));
  CHECK_FALSE(epochs.should_update({}, 1));
  CHECK(epochs.should_update({}, 2));
}

TEST_CASE("options of EMAWeightAveraging out of range are refused by name") {
  CHECK_THROWS_WITH(
      EMAWeightAveraging({.decay = 1.5}),
      Catch::Contains("decay must be at least 0 and at most 1, found the number 1.5"));
  CHECK_THROWS_WITH(
      EMAWeightAveraging({.update_every_n_steps = -1}),
      Catch::Contains("update_every_n_steps must be at least 0, found the integer -1"));
  CHECK_THROWS_WITH(
      EMAWeightAveraging({.update_starting_at_epoch = -2}),
      Catch::Contains("update_starting_at_epoch must be at least 0, found the integer -2"));
  CHECK(EMAWeightAveraging().state_key() == "EMAWeightAveraging");
  ToyModule module;
  Trainer trainer(
      quiet(1),
      {std::make_shared<EMAWeightAveraging>(EMAWeightAveragingOptions{.update_every_n_steps = 0})});
  CHECK_THROWS_WITH(trainer.fit(module, toy_data()),
                    Catch::Contains("update_every_n_steps=0") &&
                        Catch::Contains("Set update_starting_at_epoch to 0 or later"));
}

}  // namespace ema_weight_averaging_test
