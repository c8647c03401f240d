#include "../../plugins/memory_observer/growth.h"

#include <algorithm>
#include <memory>

#include "catch.h"
#include "sdk/testkit.h"

namespace memory_observer_plugin_test {

using namespace grapnel::test;

namespace {

/// memory_observer in a training whose epochs keep what the test wants.
struct Observed {
  RecordingHost host;
  PluginFile plugin{MEMORY_OBSERVER_PLUGIN};
  std::vector<std::unique_ptr<std::vector<char>>> kept;

  Observed() {
    host.params = {{"every_n_steps", std::int64_t{0}},
                   {"warn_after_epochs", std::int64_t{3}},
                   {"min_growth_mib", 30.0}};
    host.trainer.is_logging_step = 1;
  }

  void keep(std::size_t mebibytes) {
    kept.push_back(std::make_unique<std::vector<char>>(mebibytes << 20, 'x'));
  }
  static void epoch_end(RunningCallback& observer) {
    REQUIRE(observer.fire<grapnel_Event>(GRAPNEL_HOOK_on_train_epoch_end) == GRAPNEL_OK);
  }
  void batch_start(RunningCallback& observer, FakeBatch batch) {
    grapnel_TrainBatchStart event{};
    event.batch = reinterpret_cast<grapnel_batch*>(&batch);
    REQUIRE(observer.fire(GRAPNEL_HOOK_on_train_batch_start, event) == GRAPNEL_OK);
    CHECK(host.live_handles == 0);
  }
  static void fail(RunningCallback& observer, const std::string& type, const std::string& message) {
    grapnel_ExceptionEvent event{};
    event.type = to_abi(type);
    event.message = to_abi(message);
    REQUIRE(observer.fire(GRAPNEL_HOOK_on_exception, event) == GRAPNEL_OK);
  }
  double metric(const std::string& name) const {
    for (auto metric = host.metrics.rbegin(); metric != host.metrics.rend(); ++metric) {
      if (metric->name == name) return metric->value;
    }
    FAIL("no metric " + name);
    return 0;
  }
};

}  // namespace

TEST_CASE(
    "memory growth is reported after `patience` growing readings, and again after twice as many") {
  memory_observer::Growth growth(2, 10);
  CHECK_FALSE(growth.add(100));
  CHECK_FALSE(growth.add(106));
  const auto streak = growth.add(112);
  REQUIRE(streak);
  CHECK(streak->readings == 2);
  CHECK(streak->bytes == 12);
  CHECK_FALSE(growth.add(113));
  CHECK(growth.add(114)->readings == 4);
  CHECK_FALSE(growth.add(114));  // no growth: a new row
  CHECK_FALSE(growth.add(120));
  CHECK(growth.add(130)->bytes == 16);
}

TEST_CASE("memory growth below the minimum is not reported until it is large enough") {
  memory_observer::Growth growth(2, 10);
  for (const int reading : {100, 101, 102, 103}) CHECK_FALSE(growth.add(reading));
  CHECK(growth.add(110)->readings == 4);
}

#if defined(__linux__)

TEST_CASE("memory_observer logs resident memory and its peak when the loggers log") {
  Observed run;
  RunningCallback observer(run.host, run.plugin.entry(), "memory_observer");
  REQUIRE(observer.train_batch_end({}) == GRAPNEL_OK);
  const double before = run.metric("memory/resident_mib");
  CHECK(before > 1);
  run.keep(64);
  REQUIRE(observer.train_batch_end({}) == GRAPNEL_OK);
  const double with = run.metric("memory/resident_mib");
  CHECK(with > before + 32);
  CHECK(run.metric("memory/peak_mib") >= with);
  const auto logged = run.host.metrics.size();
  run.host.trainer.is_logging_step = 0;
  REQUIRE(observer.train_batch_end({}) == GRAPNEL_OK);
  CHECK(run.host.metrics.size() == logged);
}

TEST_CASE("memory_observer's own interval counts batches") {
  Observed run;
  run.host.params["every_n_steps"] = std::int64_t{3};
  run.host.trainer.is_logging_step = 0;
  RunningCallback observer(run.host, run.plugin.entry(), "memory_observer");
  for (std::int64_t i = 0; i < 4; ++i) REQUIRE(observer.train_batch_end({}, i) == GRAPNEL_OK);
  CHECK(run.host.metrics.size() == 4);
}

TEST_CASE("memory_observer warns of memory that grows in every epoch, with the amount") {
  Observed run;
  RunningCallback observer(run.host, run.plugin.entry(), "memory_observer");
  Observed::epoch_end(observer);
  for (int epoch = 0; epoch < 3; ++epoch) {
    CHECK(run.host.log.empty());
    run.keep(32);
    Observed::epoch_end(observer);
  }
  REQUIRE(run.host.log.size() == 1);
  const std::string begin = "warning: resident memory grew in each of the last 3 epochs, by ";
  REQUIRE_THAT(run.host.log[0],
               Catch::StartsWith(begin) && Catch::Contains(" MiB per epoch), to "));
  CHECK(std::stod(run.host.log[0].substr(begin.size())) >= 90);
}

TEST_CASE("memory_observer doesn't warn of memory that grows and shrinks") {
  Observed run;
  RunningCallback observer(run.host, run.plugin.entry(), "memory_observer");
  for (int epoch = 0; epoch < 6; ++epoch) {
    if (epoch % 2 == 0) run.keep(32);
    Observed::epoch_end(observer);
    run.kept.clear();
  }
  CHECK(run.host.log.empty());
}

TEST_CASE("memory_observer's peak survives a checkpoint") {
  Observed run;
  RunningCallback observer(run.host, run.plugin.entry(), "memory_observer");
  RecordedState saved;
  saved.entries = {{"peak_bytes", std::int64_t{1} << 50}};
  REQUIRE(observer.load(saved) == GRAPNEL_OK);
  REQUIRE(observer.train_batch_end({}) == GRAPNEL_OK);
  CHECK(run.metric("memory/peak_mib") == double(1 << 30));
  CHECK(std::get<std::int64_t>(*observer.save().find("peak_bytes")) == std::int64_t{1} << 50);
  saved.entries.clear();
  CHECK(observer.load(saved) == GRAPNEL_ERROR);
}

#endif  // __linux__

TEST_CASE("memory_observer reports the last readings and the batch when memory runs out") {
  const auto [type, message] = GENERATE(table<std::string, std::string>(
      {{"OutOfMemoryError", "CUDA out of memory. Tried to allocate 2 GiB"},
       {"bad_alloc", "std::bad_alloc"},
       {"Error", "DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"}}));
  Observed run;
  run.host.trainer.current_epoch = 2;
  run.host.trainer.global_step = 17;
  RunningCallback observer(run.host, run.plugin.entry(), "memory_observer");
  REQUIRE(observer.train_batch_end({}) == GRAPNEL_OK);
  auto features = FakeTensor::make({1, 2, 3, 4, 5, 6});
  features->sizes = {3, 2};
  run.batch_start(
      observer, {{"features", ""}, {features, FakeTensor::make({1, 2, 3}, GRAPNEL_DTYPE_I64)}, {}});
  run.host.trainer.global_step = 18;
  Observed::fail(observer, type, message);
  REQUIRE(run.host.log.size() == 1);
  CHECK_THAT(run.host.log[0], Catch::StartsWith("error: out of memory in epoch 2, step 18") &&
                                  Catch::EndsWith("the batch: features f32 [3, 2], i64 [3]"));
#if defined(__linux__)
  CHECK_THAT(run.host.log[0], Catch::Contains("; resident ") && Catch::Contains("; before that ") &&
                                  Catch::Contains(" MiB after step 17"));
#endif
}

TEST_CASE("memory_observer reports nothing when a run fails for another reason") {
  Observed run;
  RunningCallback observer(run.host, run.plugin.entry(), "memory_observer");
  Observed::fail(observer, "ConfigError", "max_epochs is -2");
  CHECK(run.host.log.empty());
}

}  // namespace memory_observer_plugin_test
