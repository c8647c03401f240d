// What the callbacks that average weights share: the average follows the model, and is what they say.
#include <ATen/ATen.h>

#include "../support/backbone.h"
#include "../support/recorder.h"
#include "../support/scripted.h"
#include "catch.h"
#include "grapnel/callbacks/ema_weight_averaging.h"
#include "grapnel/callbacks/stochastic_weight_averaging.h"
#include "temp_dir.h"

namespace averaged_weights_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Contains;

namespace {

// Moves to a device without data, as a model moves to another one for a run.
class MovingModule : public ToyModule {
 public:
  void to(const at::Device&) override {
    if (!moves) return;
    for (const char* name : {"weight", "bias"}) {
      StateEntry* entry = state_view().find(name);
      entry->tensor = entry->tensor.detach().to(at::kMeta);
    }
  }
  bool moves = false;
};

struct Stop : std::runtime_error {
  Stop() : std::runtime_error("stop") {}
};

}  // namespace

TEST_CASE("an average from a checkpoint moves to the device of the model") {
  const TempDir directory;
  const std::string file = (directory / "a.ckpt").string();
  MovingModule module;
  {
    Trace trace;
    auto saver = std::make_shared<Recorder>(trace);
    saver->script = [&](const std::string& hook, Trainer& trainer) {
      if (hook == "on_train_epoch_end") trainer.save_checkpoint(file);
    };
    Trainer trainer(quiet(1), {std::make_shared<EMAWeightAveraging>(), saver});
    trainer.fit(module, toy_data(2, 0));
  }
  module.moves = true;
  auto averaging = std::make_shared<EMAWeightAveraging>();
  Trace trace;
  auto watch = std::make_shared<Recorder>(trace);
  watch->script = [&](const std::string& hook, Trainer&) {
    if (hook != "on_train_start") return;
    CHECK(averaging->n_averaged() == 2);
    for (const auto& [name, value] : averaging->average_weights()) {
      CHECK(value.to_tensor().device() == at::kMeta);
    }
    throw Stop();
  };
  Trainer trainer(quiet(2), {averaging, watch});
  CHECK_THROWS_AS(trainer.fit(module, toy_data(2, 0), {.ckpt_path = file}), Stop);
}

TEST_CASE("the fast way to average gives what the function says, whole numbers too") {
  // What EMAWeightAveraging says that it does, one tensor after the other.
  class Slow final : public WeightAveraging {
   public:
    Slow()
        : WeightAveraging(
              {.avg_fn = [](const at::Tensor& average, const at::Tensor& model,
                            int64_t) -> at::Tensor { return average * 0.75 + model * 0.25; }}) {}
  };
  const auto end_with = [](const auto& averaging) {
    BackboneModule module;
    Trainer trainer(quiet(2), {averaging});
    trainer.fit(module, toy_data(4, 0));
    return module.copies();
  };
  const auto fast =
      end_with(std::make_shared<EMAWeightAveraging>(EMAWeightAveragingOptions{.decay = 0.75}));
  const auto slow = end_with(std::make_shared<Slow>());
  REQUIRE(fast.size() == slow.size());
  for (const auto& [name, tensor] : slow) {
    INFO(name);
    CHECK(at::allclose(fast.at(name), tensor));
  }
}

TEST_CASE("an average that was never updated is reported, and leaves the trained weights") {
  ToyModule module;
  const at::Tensor before = module.weight.detach().clone();
  const CapturedLog log;
  Trainer trainer(quiet(1), {std::make_shared<EMAWeightAveraging>(
                                EMAWeightAveragingOptions{.update_starting_at_step = 100})});
  trainer.fit(module, toy_data(2, 0));
  CHECK_FALSE(at::equal(module.weight, before));
  CHECK_THAT(log.text(), Contains("warning: EMAWeightAveraging has averaged nothing"));
}

TEST_CASE(
    "the epoch that updates batch norm statistics changes no parameter, also without a validation "
    "before it") {
  BackboneModule module;
  auto averaging = std::make_shared<StochasticWeightAveraging>(
      StochasticWeightAveragingOptions{.swa_lrs = {0.05}, .swa_epoch_start = int64_t{2}});
  Trainer trainer(quiet(3), {averaging});
  trainer.fit(module, toy_data(3, 0));
  CHECK(trainer.current_epoch() == 4);  // with the one for the statistics
  const StateDict average = averaging->average_weights();
  for (const StateEntry& entry : module.state_view().parameters()) {
    INFO(entry.name);
    CHECK(at::equal(entry.tensor, average.at(entry.name).to_tensor()));
  }
}

}  // namespace averaged_weights_test
