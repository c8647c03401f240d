#include "grapnel/tuner.h"

#include "catch.h"
#include "tuned.h"

namespace tuner_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Contains;

TEST_CASE("Tuner::lr_find trains nothing, and the fit uses the rate found") {
  TunedModule module;
  TunedData data;
  const auto before = module.state();
  Trace trace;
  const auto recorder = std::make_shared<Recorder>(trace);
  Trainer trainer(quiet(1), {recorder});
  Tuner tuner(trainer);
  const auto found = tuner.lr_find(module, data, {.min_lr = 1e-3, .num_training_steps = 20});
  REQUIRE(found.has_value());
  CHECK(module.lr == *found->suggestion());
  CHECK(module.state() == before);
  CHECK(trainer.global_step() == 0);
  CHECK(trainer.callbacks().size() == 1);
  CHECK(trainer.state().status == Status::finished);
  const auto heard = [&](const char* hook) {
    return std::find(trace.begin(), trace.end(), std::string("cb.") + hook) != trace.end();
  };
  CHECK(heard("setup"));
  CHECK(heard("teardown"));
  CHECK(heard("on_run_end"));
  CHECK_FALSE(heard("on_train_start"));
  CHECK_FALSE(heard("on_exception"));

  trainer.fit(module, data);
  CHECK(trainer.global_step() == data.batches());
  CHECK(trainer.optimizers()[0]->groups()[0].options.at("lr") == module.lr);
}

TEST_CASE("Tuner::scale_batch_size works for any kind of run and restores train and eval modes") {
  class Moody : public TunedModule {
   public:
    void train(bool on) override { training = on; }
    std::vector<std::pair<std::string, bool>> training_modes() const override {
      return {{"", training}};
    }
    void set_training_modes(const std::vector<std::pair<std::string, bool>>& modes) override {
      training = modes.at(0).second;
    }
    bool training = true;
  } module;
  module.largest = 20;
  TunedData data(100);
  Trainer trainer(quiet(1));
  Tuner tuner(trainer);
  for (const RunKind method : {RunKind::fit, RunKind::test, RunKind::predict}) {
    data.batch_size = 2;
    CAPTURE(to_string(method));
    CHECK(tuner.scale_batch_size(module, data, {.steps_per_trial = 1}, method) == 16);
    CHECK(module.training);
  }
  CHECK_THROWS_AS(tuner.scale_batch_size(module, data, {}, RunKind::none), ConfigError);
}

TEST_CASE("Tuner refuses a trainer that has a finder callback") {
  TunedModule module;
  TunedData data;
  Trainer trainer(quiet(1), {std::make_shared<LearningRateFinder>()});
  CHECK_THROWS_WITH(Tuner(trainer).lr_find(module, data), Contains("LearningRateFinder"));
  CHECK(Tuner(trainer).scale_batch_size(module, data, {.steps_per_trial = 1, .max_val = 8}) == 8);
}

TEST_CASE("after an error in Tuner the trainer has its own callbacks again") {
  TunedModule module;
  module.fails_at = 2;
  TunedData data;
  Trainer trainer(quiet(1));
  CHECK_THROWS_WITH(Tuner(trainer).lr_find(module, data), "scripted");
  CHECK(trainer.callbacks().empty());
}

}  // namespace tuner_test
