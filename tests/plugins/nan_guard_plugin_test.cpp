#include <cmath>
#include <limits>

#include "catch.h"
#include "sdk/testkit.h"

namespace nan_guard_plugin_test {

using namespace grapnel::test;

namespace {

constexpr double inf = std::numeric_limits<double>::infinity();

/// nan_guard over a model of three parameters, one batch after another.
struct Guarded {
  RecordingHost host;
  PluginFile plugin{NAN_GUARD_PLUGIN};
  std::int64_t batch_idx = 0;

  explicit Guarded(std::int64_t patience = 1, bool check_gradients = true) {
    host.params = {{"patience", patience},
                   {"check_gradients", check_gradients},
                   {"every_n_steps", std::int64_t{1}},
                   {"skip_steps", false}};
    host.parameters = {{"first", FakeTensor::make({1, 2}), FakeTensor::make({0, 0})},
                       {"second", FakeTensor::make({1}), FakeTensor::make({0})},
                       {"unused", FakeTensor::make({1}), nullptr},
                       {"third", FakeTensor::make({1, 2, 3}), FakeTensor::make({0, 0, 0})}};
  }

  void batch(RunningCallback& guard, std::optional<double> loss) {
    REQUIRE(guard.before_optimizer_step() == GRAPNEL_OK);
    ++host.trainer.global_step;
    FakeOutputs outputs;
    outputs.loss = loss;
    REQUIRE(guard.train_batch_end(outputs, batch_idx++) == GRAPNEL_OK);
  }
  RunningCallback start() { return RunningCallback(host, plugin.entry(), "nan_guard"); }
};

}  // namespace

TEST_CASE("nan_guard ignores a finite loss and finite gradients") {
  Guarded run;
  auto guard = run.start();
  run.batch(guard, 1e30);
  run.batch(guard, std::nullopt);
  CHECK(run.host.requests.empty());
  CHECK(run.host.live_handles == 0);
}

TEST_CASE("nan_guard stops the run on a non-finite loss, saying what and where") {
  Guarded run;
  auto guard = run.start();
  run.batch(guard, 1.0);
  run.batch(guard, std::nan(""));
  REQUIRE(run.host.requests.size() == 1);
  CHECK(run.host.requests[0].kind == GRAPNEL_REQUEST_STOP);
  CHECK(run.host.requests[0].reason == "the loss is NaN (epoch 0, batch 1, step 2)");
}

TEST_CASE("nan_guard gives one reason for a non-finite loss with non-finite gradients") {
  Guarded run;
  auto guard = run.start();
  run.host.parameters[3].grad->values[1] = std::nan("");
  run.batch(guard, inf);
  REQUIRE(run.host.requests.size() == 1);
  CHECK_THAT(run.host.requests[0].reason,
             Catch::StartsWith("the loss is infinite; the gradient of third has NaN elements"));
}

TEST_CASE("nan_guard reads gradients on the CPU without any operator") {
  Guarded run;
  auto guard = run.start();
  run.batch(guard, 1.0);
  CHECK(run.host.calls.empty());
}

TEST_CASE("nan_guard names the first parameter with a non-finite gradient, on whatever device") {
  using Indices = std::vector<std::size_t>;
  for (const Indices& on_device : {Indices{}, Indices{1}, Indices{3}}) {
    INFO(on_device.size() << " on a device");
    Guarded run;
    for (const std::size_t index : on_device) {
      run.host.parameters[index].grad->device_type = GRAPNEL_DEVICE_CUDA;
    }
    auto guard = run.start();
    run.host.parameters[1].grad->values = {-inf};
    run.host.parameters[3].grad->values = {0, std::nan(""), 0};
    run.batch(guard, 1.0);
    REQUIRE(run.host.requests.size() == 1);
    CHECK(run.host.requests[0].reason ==
          "the gradient of second has infinite elements, and those of 1 later parameters too "
          "(epoch 0, batch 0, step 1)");
    CHECK(run.host.live_handles == 0);
  }
}

TEST_CASE("nan_guard checks all gradients of a device with one norm and one transfer") {
  Guarded run;
  for (FakeParameter& parameter : run.host.parameters) {
    if (parameter.grad != nullptr) parameter.grad->device_type = GRAPNEL_DEVICE_CUDA;
  }
  auto guard = run.start();
  run.batch(guard, 1.0);
  CHECK(run.host.calls ==
        std::vector<std::string>{"aten::_foreach_norm.Scalar", "aten::stack", "aten::to.dtype"});
}

TEST_CASE("nan_guard's patience counts consecutive bad batches and warns until it is reached") {
  Guarded run(3);
  auto guard = run.start();
  for (const double loss : {double(NAN), double(NAN), 1.0, double(NAN), double(NAN)})
    run.batch(guard, loss);
  CHECK(run.host.requests.empty());
  CHECK(run.host.log.size() == 4);
  CHECK_THAT(run.host.log[0], Catch::Contains("1 of 3 such batches"));
  run.batch(guard, NAN);
  CHECK(run.host.requests.size() == 1);
}

TEST_CASE("nan_guard's count of bad batches survives a checkpoint") {
  Guarded run(2);
  RecordedState saved;
  {
    auto guard = run.start();
    run.batch(guard, NAN);
    saved = guard.save();
  }
  auto resumed = run.start();
  REQUIRE(resumed.load(saved) == GRAPNEL_OK);
  run.batch(resumed, NAN);
  CHECK(run.host.requests.size() == 1);
}

TEST_CASE("nan_guard skips gradients of a scaled loss, and all with check_gradients off") {
  SECTION("scaled") {
    Guarded run;
    auto guard = run.start();
    run.host.gradients_unscaled = false;
    run.host.parameters[0].grad->values[0] = inf;
    run.batch(guard, 1.0);
    CHECK(run.host.requests.empty());
  }
  SECTION("not wanted") {
    Guarded run(1, false);
    auto guard = run.start();
    run.host.parameters[0].grad->values[0] = inf;
    run.batch(guard, 1.0);
    CHECK(run.host.requests.empty());
    CHECK(run.host.calls.empty());
  }
}

TEST_CASE("nan_guard can skip a step with a bad gradient") {
  Guarded run(2);
  run.host.params["skip_steps"] = true;
  auto guard = run.start();
  run.host.parameters[0].grad->values[0] = NAN;
  run.batch(guard, 1.0);
  REQUIRE(run.host.requests.size() == 1);
  CHECK(run.host.requests[0].kind == GRAPNEL_REQUEST_SKIP_STEP);
  CHECK(run.host.requests[0].reason == "the gradient of first has NaN elements");
}

TEST_CASE("nan_guard checks every n-th step, and an unchecked batch doesn't reset its count") {
  Guarded run(2);
  run.host.params["every_n_steps"] = std::int64_t{2};
  auto guard = run.start();
  run.batch(guard, NAN);  // batch 0: looked at
  run.batch(guard, NAN);
  CHECK(run.host.requests.empty());
  run.batch(guard, NAN);  // batch 2
  CHECK(run.host.requests.size() == 1);
}

}  // namespace nan_guard_plugin_test
