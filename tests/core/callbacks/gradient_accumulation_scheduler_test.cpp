#include "grapnel/callbacks/gradient_accumulation_scheduler.h"

#include "../support/recorder.h"
#include "../support/scripted.h"
#include "catch.h"
#include "grapnel/base/json.h"
#include "grapnel/callbacks/registry.h"
#include "temp_dir.h"

namespace gradient_accumulation_scheduler_test {

using namespace grapnel;
using namespace grapnel::test;

TEST_CASE("an epoch's accumulation factor is that of the largest scheduled epoch not after it") {
  const GradientAccumulationScheduler scheduler(AccumulationSchedule{{2, 3}, {5, 1}, {7, 8}});
  std::vector<int64_t> factors;
  for (int64_t epoch = 0; epoch < 9; ++epoch)
    factors.push_back(scheduler.get_accumulate_grad_batches(epoch));
  CHECK(factors == std::vector<int64_t>{1, 1, 3, 3, 3, 1, 1, 8, 8});
  CHECK(scheduler.scheduling().at(0) == 1);
  CHECK(scheduler.going_to_accumulate_grad_batches());
}

TEST_CASE("the trainer steps as the accumulation schedule says, also in a second fit") {
  auto scheduler =
      std::make_shared<GradientAccumulationScheduler>(AccumulationSchedule{{1, 2}, {3, 4}});
  ToyModule module;
  Trainer trainer(quiet(4), {scheduler});
  trainer.fit(module, toy_data(5, 0));
  CHECK(trainer.global_step() == 5 + 3 + 3 + 2);
  CHECK(trainer.state().accumulate_grad_batches == 4);
  trainer.set_max_epochs(5);
  CHECK_NOTHROW(trainer.fit(module, toy_data(5, 0)));
}

TEST_CASE(
    "GradientAccumulationScheduler refuses manual optimization and the trainer's own factor") {
  auto scheduler = std::make_shared<GradientAccumulationScheduler>(AccumulationSchedule{{0, 2}});
  ToyModule module;
  module.automatic_optimization = false;
  Trainer manual(quiet(1), {scheduler});
  CHECK_THROWS_WITH(manual.fit(module, toy_data(2, 0)), Catch::Contains("manual optimization"));

  TrainerOptions options = quiet(1);
  options.accumulate_grad_batches = 2;
  ToyModule automatic;
  Trainer both(options, {scheduler});
  CHECK_THROWS_WITH(both.fit(automatic, toy_data(2, 0)),
                    Catch::Contains("accumulate_grad_batches=2"));
}

TEST_CASE("a meaningless accumulation schedule is refused, in code and in run.json") {
  CHECK_THROWS_AS(GradientAccumulationScheduler(AccumulationSchedule{}), ConfigError);
  CHECK_THROWS_WITH(GradientAccumulationScheduler(AccumulationSchedule{{-1, 2}}),
                    Catch::Contains("epoch -1"));
  CHECK_THROWS_WITH(GradientAccumulationScheduler(AccumulationSchedule{{1, 0}}),
                    Catch::Contains("factor 0"));
  const auto make = [](const char* text) {
    return make_callback("gradient_accumulation_scheduler", parse_json(text, "run.json"),
                         "callbacks.gas");
  };
  CHECK_NOTHROW(make(R"({"scheduling": {"0": 1, "4": 2}})"));
  CHECK_THROWS_WITH(make(R"({"scheduling": {"a": 2}})"), Catch::Contains("run.json:1"));
  CHECK_THROWS_WITH(make(R"({"scheduling": {"1": 1.5}})"), Catch::Contains("1.5"));
  CHECK_THROWS_WITH(make(R"({"scheduling": {"1": 1e300}})"), Catch::Contains("1e+300"));
  CHECK_THROWS_WITH(make(R"({"scheduling": {}})"), Catch::Contains("run.json:1"));
}

TEST_CASE("a run resumed within an epoch continues with that epoch's accumulation factor") {
  const TempDir directory;
  const std::string file = (directory / "a.ckpt").string();
  const auto scheduler = [] {
    return std::make_shared<GradientAccumulationScheduler>(AccumulationSchedule{{1, 2}});
  };
  ToyModule whole;
  Trainer uninterrupted(quiet(2), {scheduler()});
  uninterrupted.fit(whole, toy_data(4, 0));

  Trace trace;
  auto killer = std::make_shared<Recorder>(trace);
  killer->script = [&](const std::string& hook, Trainer& trainer) {
    if (hook != "on_train_batch_end" || trainer.global_step() != 5) return;
    trainer.save_checkpoint(file);
    throw std::runtime_error("killed");
  };
  ToyModule killed;
  Trainer first(quiet(2), {scheduler(), killer});
  CHECK_THROWS_WITH(first.fit(killed, toy_data(4, 0)), "killed");

  ToyModule resumed;
  Trainer second(quiet(2), {scheduler()});
  second.fit(resumed, toy_data(4, 0), {.ckpt_path = file});
  CHECK(second.global_step() == uninterrupted.global_step());
  CHECK(at::equal(resumed.weight, whole.weight));
}

}  // namespace gradient_accumulation_scheduler_test
