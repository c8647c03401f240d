#include <algorithm>
#include <cmath>

#include "catch.h"
#include "sdk/testkit.h"

namespace ema_plugin_test {

using namespace grapnel::test;

namespace {

/// ema over a model with a weight, a floating buffer and a counter; each step adds 1 to the weight
/// and the buffer and to the counter.
struct Averaged {
  RecordingHost host;
  PluginFile plugin{EMA_PLUGIN};

  explicit Averaged(double decay = 0.5) {
    host.params = {{"decay", decay},
                   {"update_every_n_steps", std::int64_t{1}},
                   {"update_starting_at_step", std::int64_t{0}},
                   {"use_buffers", true},
                   {"warm_up", false},
                   {"copy_to_model_at_end", true}};
    host.parameters = {{"weight", FakeTensor::make({0, 10}), nullptr}};
    host.buffers = {{"mean", FakeTensor::make({100}), nullptr},
                    {"count", FakeTensor::make({0}, GRAPNEL_DTYPE_I64), nullptr}};
  }

  RunningCallback start() { return RunningCallback(host, plugin.entry(), "ema"); }
  void step(RunningCallback& ema) {
    for (auto& value : weight()) ++value;
    ++host.buffers[0].tensor->values[0];
    ++host.buffers[1].tensor->values[0];
    ++host.trainer.global_step;
    REQUIRE(ema.train_batch_end({}) == GRAPNEL_OK);
  }
  std::vector<double>& weight() { return host.parameters[0].tensor->values; }
  /// The weight as a validation sees it.
  std::vector<double> validated(RunningCallback& ema) {
    REQUIRE(ema.fire<grapnel_Event>(GRAPNEL_HOOK_on_validation_start) == GRAPNEL_OK);
    const auto seen = weight();
    REQUIRE(ema.fire<grapnel_Event>(GRAPNEL_HOOK_on_validation_end) == GRAPNEL_OK);
    return seen;
  }
};

using Values = std::vector<double>;

/// The weight becomes pruned, as it stands, or is not pruned any more.
void set_pruned(Averaged& run, bool pruned, double second = 0) {
  run.host.parameters[0].mask = pruned ? FakeTensor::make({1, second}) : nullptr;
  ++run.host.generation;
}

}  // namespace

TEST_CASE("ema starts with the weights, then moves by 1 - decay towards them") {
  Averaged run;
  auto ema = run.start();
  run.step(ema);
  CHECK(run.validated(ema) == Values{1, 11});
  run.step(ema);
  CHECK(run.validated(ema) == Values{1.5, 11.5});
  run.step(ema);
  CHECK(run.validated(ema) == Values{2.25, 12.25});
  CHECK(run.weight() == Values{3, 13});
}

TEST_CASE("an ema update is done in memory, or by one operator for all floating-point tensors") {
  Averaged run;
  auto ema = run.start();
  run.step(ema);
  run.host.calls.clear();
  run.step(ema);
  CHECK(run.host.calls == std::vector<std::string>{"aten::_foreach_copy_"});
  run.host.calls.clear();
  run.host.failing = {"tensors.begin_write"};
  run.host.failing_status = GRAPNEL_NOT_NOW;
  run.step(ema);
  CHECK(run.host.calls ==
        std::vector<std::string>{"aten::_foreach_lerp_.Scalar", "aten::_foreach_copy_"});
}

TEST_CASE("ema leases weights and buffers for validation, not before the first update") {
  Averaged run;
  auto ema = run.start();
  CHECK(run.validated(ema) == Values{0, 10});
  run.step(ema);
  run.step(ema);
  REQUIRE(ema.fire<grapnel_Event>(GRAPNEL_HOOK_on_validation_start) == GRAPNEL_OK);
  CHECK(run.host.lease_reason == "validate the average");
  CHECK(run.host.buffers[0].tensor->values == Values{101.5});
  CHECK(run.host.buffers[1].tensor->values == Values{2});
  REQUIRE(ema.fire<grapnel_Event>(GRAPNEL_HOOK_on_validation_end) == GRAPNEL_OK);
  CHECK(run.host.lease_reason.empty());
  CHECK(run.host.buffers[0].tensor->values == Values{102});
}

TEST_CASE("without use_buffers ema leaves the model's buffers alone") {
  Averaged run;
  run.host.params["use_buffers"] = false;
  auto ema = run.start();
  run.step(ema);
  run.step(ema);
  REQUIRE(ema.fire<grapnel_Event>(GRAPNEL_HOOK_on_test_start) == GRAPNEL_OK);
  CHECK(run.weight() == Values{1.5, 11.5});
  CHECK(run.host.buffers[0].tensor->values == Values{102});
  REQUIRE(ema.fire<grapnel_Event>(GRAPNEL_HOOK_on_test_end) == GRAPNEL_OK);
}

TEST_CASE("ema ignores steps before its start and between intervals, and batches without a step") {
  Averaged run(0);  // the average is what was last taken
  run.host.params["update_every_n_steps"] = std::int64_t{2};
  run.host.params["update_starting_at_step"] = std::int64_t{2};
  auto ema = run.start();
  run.step(ema);  // step 0
  run.step(ema);
  CHECK(run.validated(ema) == run.weight());
  CHECK(run.host.calls.empty());
  run.step(ema);  // step 2: taken
  run.step(ema);
  CHECK(run.validated(ema) == Values{3, 13});
  run.weight() = {50, 60};
  REQUIRE(ema.train_batch_end({}) == GRAPNEL_OK);  // no new step
  CHECK(run.validated(ema) == Values{3, 13});
  run.step(ema);  // step 4: taken
  CHECK(run.validated(ema) == Values{51, 61});
}

TEST_CASE("ema's warm-up increases the decay with the updates") {
  Averaged run(0.999);
  run.host.params["warm_up"] = true;
  auto ema = run.start();
  run.step(ema);
  run.step(ema);  // update 1: decay 2/11
  CHECK(run.validated(ema)[0] == Approx(1 + 9.0 / 11));
  run.step(ema);  // update 2: decay 3/12
  CHECK(run.validated(ema)[0] == Approx((1 + 9.0 / 11) + 0.75 * (3 - (1 + 9.0 / 11))));
}

TEST_CASE("the model gets the ema average when the training ends, unless that is turned off") {
  Averaged run;
  auto ema = run.start();
  run.step(ema);
  run.step(ema);
  SECTION("the default") {
    REQUIRE(ema.fire<grapnel_Event>(GRAPNEL_HOOK_on_fit_end) == GRAPNEL_OK);
    CHECK(run.weight() == Values{1.5, 11.5});
    CHECK(run.host.buffers[0].tensor->values == Values{101.5});
  }
  SECTION("told otherwise") {
    run.host.params["copy_to_model_at_end"] = false;
    auto other = run.start();
    run.step(other);
    REQUIRE(other.fire<grapnel_Event>(GRAPNEL_HOOK_on_fit_end) == GRAPNEL_OK);
    CHECK(run.weight() == Values{3, 13});
  }
}

TEST_CASE("a resumed ema continues as if never stopped") {
  Averaged whole;
  auto uninterrupted = whole.start();
  for (int i = 0; i < 5; ++i) whole.step(uninterrupted);

  Averaged run;
  RecordedState saved;
  {
    auto ema = run.start();
    for (int i = 0; i < 3; ++i) run.step(ema);
    saved = ema.save();
  }
  CHECK(saved.find("parameter.weight") != nullptr);
  auto resumed = run.start();
  REQUIRE(resumed.load(saved) == GRAPNEL_OK);
  const RecordedState again = resumed.save();  // before the model was seen
  CHECK(again.entries.size() == saved.entries.size());
  run.step(resumed);
  run.step(resumed);
  CHECK(run.validated(resumed) == whole.validated(uninterrupted));
}

TEST_CASE("ema averages a step after which its run was stopped before the end of the batch") {
  Averaged whole;
  auto uninterrupted = whole.start();
  for (int i = 0; i < 3; ++i) whole.step(uninterrupted);

  Averaged run;
  RecordedState saved;
  {
    auto ema = run.start();
    run.step(ema);
    for (auto& value : run.weight()) ++value;
    ++run.host.trainer.global_step;  // the optimizer has made its second step
    saved = ema.save();
  }
  auto resumed = run.start();
  REQUIRE(resumed.load(saved) == GRAPNEL_OK);
  REQUIRE(resumed.fire<grapnel_Event>(GRAPNEL_HOOK_on_train_start) == GRAPNEL_OK);
  REQUIRE(resumed.train_batch_end({}) == GRAPNEL_OK);
  run.step(resumed);
  CHECK(run.validated(resumed) == whole.validated(uninterrupted));
}

TEST_CASE("an ema state without its counters is refused and changes nothing") {
  Averaged run;
  auto ema = run.start();
  run.step(ema);
  run.step(ema);
  RecordedState broken = ema.save();
  broken.entries.erase(broken.entries.begin());
  CHECK(ema.load(broken) == GRAPNEL_ERROR);
  CHECK(run.validated(ema) == Values{1.5, 11.5});
}

TEST_CASE("ema matches a changed model by name and restarts the average of the rest") {
  Averaged run;
  auto ema = run.start();
  run.step(ema);
  run.step(ema);
  run.host.parameters.insert(run.host.parameters.begin(), {"new", FakeTensor::make({7}), nullptr});
  run.host.buffers[0].tensor = FakeTensor::make({1, 2});  // another shape
  ++run.host.generation;
  REQUIRE(ema.fire<grapnel_Event>(GRAPNEL_HOOK_on_validation_start) == GRAPNEL_OK);
  CHECK(run.host.parameters[0].tensor->values == Values{7});
  CHECK(run.host.parameters[1].tensor->values == Values{1.5, 11.5});
  CHECK(run.host.buffers[0].tensor->values == Values{1, 2});
  REQUIRE(ema.fire<grapnel_Event>(GRAPNEL_HOOK_on_validation_end) == GRAPNEL_OK);
  CHECK(std::count(run.host.log.begin(), run.host.log.end(),
                   "info: the average of new starts over") == 1);
}

TEST_CASE("a parameter keeps its ema average while it is pruned and afterwards") {
  Averaged run;
  auto ema = run.start();
  run.step(ema);
  set_pruned(run, true);
  run.step(ema);
  CHECK(run.validated(ema) == Values{1.5, 11.5});
  const RecordedState saved = ema.save();
  CHECK(saved.find("parameter.weight") != nullptr);
  CHECK(saved.find("parameter.weight_orig") == nullptr);
  CHECK(saved.find("mask.weight") != nullptr);
  set_pruned(run, false);
  REQUIRE(ema.fire<grapnel_Event>(GRAPNEL_HOOK_on_fit_end) == GRAPNEL_OK);
  CHECK(run.weight() == Values{1.5, 0});
  CHECK(std::count_if(run.host.log.begin(), run.host.log.end(), [](const std::string& line) {
          return line.find("starts over") != std::string::npos;
        }) == 0);
}

TEST_CASE("ema neither averages nor swaps pruning masks") {
  Averaged run;
  run.host.buffers.push_back({"attention_mask", FakeTensor::make({0}), nullptr});
  set_pruned(run, true, 1);
  auto ema = run.start();
  run.step(ema);
  run.host.buffers[2].tensor->values = {4};
  run.host.parameters[0].mask->values = {1, 0};
  run.step(ema);
  REQUIRE(ema.fire<grapnel_Event>(GRAPNEL_HOOK_on_validation_start) == GRAPNEL_OK);
  CHECK(run.host.buffers[2].tensor->values == Values{2});
  CHECK(run.host.parameters[0].mask->values == Values{1, 0});
  REQUIRE(ema.fire<grapnel_Event>(GRAPNEL_HOOK_on_validation_end) == GRAPNEL_OK);
  CHECK(ema.save().find("buffer.attention_mask") != nullptr);
  CHECK(ema.save().find("mask.weight") != nullptr);
}

TEST_CASE("an ema state of a pruned model fits an unpruned one, and vice versa") {
  Averaged run;
  auto ema = run.start();
  run.step(ema);
  run.step(ema);
  const RecordedState plain = ema.save();
  set_pruned(run, true);
  REQUIRE(ema.fire<grapnel_Event>(GRAPNEL_HOOK_on_validation_start) == GRAPNEL_OK);
  REQUIRE(ema.fire<grapnel_Event>(GRAPNEL_HOOK_on_validation_end) == GRAPNEL_OK);
  const RecordedState pruned = ema.save();
  RecordedState old = plain;  // without masks, and under the name that the model had then
  for (auto& [key, value] : old.entries) {
    if (key == "parameter.weight") key = "parameter.weight_orig";
  }
  SECTION("not pruned, pruned") {
    auto other = run.start();
    REQUIRE(other.load(plain) == GRAPNEL_OK);
    CHECK(run.validated(other) == Values{1.5, 11.5});
  }
  SECTION("pruned, not pruned: as sparse as it was") {
    set_pruned(run, false);
    auto other = run.start();
    REQUIRE(other.load(pruned) == GRAPNEL_OK);
    CHECK(other.save().entries.size() == pruned.entries.size());
    CHECK(run.validated(other) == Values{1.5, 0});
  }
  SECTION("an old one, pruned") {
    auto other = run.start();
    REQUIRE(other.load(old) == GRAPNEL_OK);
    CHECK(run.validated(other) == Values{1.5, 11.5});
  }
  SECTION("an old one, not pruned") {
    set_pruned(run, false);
    auto other = run.start();
    REQUIRE(other.load(old) == GRAPNEL_OK);
    CHECK(run.validated(other) == Values{1.5, 11.5});
  }
}

TEST_CASE("ema handles a lease that the host undid after a failure, and leaks no handle") {
  Averaged run;
  {
    auto ema = run.start();
    run.step(ema);
    REQUIRE(ema.fire<grapnel_Event>(GRAPNEL_HOOK_on_validation_start) == GRAPNEL_OK);
    run.host.end_leases();
  }
  CHECK(run.host.live_handles == 0);
}

}  // namespace ema_plugin_test
