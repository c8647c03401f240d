// The arithmetic with given times, then the plugin as it is, whose clock nobody turns: of its numbers only what
// must hold on every machine.
#include "../../plugins/data_wait_monitor/data_wait.h"

#include <chrono>
#include <thread>

#include "catch.h"
#include "sdk/testkit.h"

namespace data_wait_monitor_plugin_test {

using namespace grapnel::test;
using data_wait::DataWait;

namespace {

struct Waiting {
  RecordingHost host;
  PluginFile plugin{DATA_WAIT_MONITOR_PLUGIN};

  explicit Waiting(double warn_above = 1, bool epoch_summary = true) {
    host.params = {{"warn_above", warn_above}, {"epoch_summary", epoch_summary}};
    host.trainer.is_logging_step = 1;
  }

  /// An epoch whose data take at least 5 ms a batch.
  void epoch(RunningCallback& monitor, int batches) {
    fire(monitor, GRAPNEL_HOOK_on_train_epoch_start);
    for (int i = 0; i < batches; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      grapnel_TrainBatchStart start{};
      start.batch_idx = i;
      REQUIRE(monitor.fire(GRAPNEL_HOOK_on_train_batch_start, start) == GRAPNEL_OK);
      REQUIRE(monitor.train_batch_end({}, i) == GRAPNEL_OK);
    }
    fire(monitor, GRAPNEL_HOOK_on_train_epoch_end);
    ++host.trainer.current_epoch;
  }
  static void fire(RunningCallback& monitor, std::uint32_t hook) {
    REQUIRE(monitor.fire<grapnel_Event>(hook) == GRAPNEL_OK);
  }
};

}  // namespace

TEST_CASE("data wait time is the time between batches, and before the first of an epoch") {
  DataWait wait;
  wait.epoch_start(10);
  wait.batch_start(13);  // 3
  wait.batch_end(17, 0);
  wait.batch_start(18);  // 1
  wait.batch_end(22, 1);
  const auto times = wait.take_epoch();
  CHECK(times.wait == 4);
  CHECK(times.work == 8);
  CHECK(times.batches == 2);
  CHECK(times.longest_wait == 3);
  CHECK(times.longest_wait_batch == 0);
  CHECK(times.share() == Approx(1.0 / 3));
  CHECK(wait.take_epoch().batches == 0);
}

TEST_CASE("data_wait_monitor counts the time since the last logged value apart from the epoch's") {
  DataWait wait;
  wait.epoch_start(0);
  wait.batch_start(1);
  wait.batch_end(2, 0);
  CHECK(wait.take_recent().share() == 0.5);
  wait.batch_start(2);
  wait.batch_end(4, 1);
  CHECK(wait.take_recent().share() == 0);
  CHECK(wait.take_epoch().share() == 0.25);
  CHECK(wait.take_recent().share() == 0);  // nothing yet
}

TEST_CASE("pauses such as validations are not counted as waiting, and may nest") {
  DataWait wait;
  wait.epoch_start(0);
  wait.batch_start(0);
  wait.batch_end(1, 0);
  wait.pause_start(2);
  wait.pause_start(3);
  wait.pause_end(5);
  wait.pause_end(8);
  wait.batch_start(9);
  wait.batch_end(10, 1);
  CHECK(wait.take_epoch().wait == 2);
}

TEST_CASE("data_wait_monitor skips a batch without its start and a pause without its end") {
  DataWait wait;
  wait.batch_end(5, 3);
  CHECK(wait.take_epoch().batches == 0);
  wait.pause_start(6);
  wait.batch_start(7);
  wait.batch_end(8, 4);
  wait.pause_end(9);
  wait.batch_start(10);
  wait.batch_end(11, 5);
  CHECK(wait.take_epoch().wait == 4);
}

TEST_CASE("data_wait_monitor logs its share when the loggers log, and a line per epoch") {
  Waiting run;
  RunningCallback monitor(run.host, run.plugin.entry(), "data_wait_monitor");
  run.epoch(monitor, 3);
  REQUIRE(run.host.metrics.size() == 3);
  for (const auto& metric : run.host.metrics) {
    CHECK(metric.name == "data_wait_share");
    CHECK(metric.flags == GRAPNEL_METRIC_ON_STEP);
    CHECK(metric.value > 0);
    CHECK(metric.value < 1);
  }
  REQUIRE(run.host.log.size() == 1);
  CHECK_THAT(run.host.log[0], Catch::StartsWith("info: epoch 0: the model waited for data ") &&
                                  Catch::Contains("% of the time, 0."));
  Waiting::fire(monitor, GRAPNEL_HOOK_on_train_end);
  CHECK_THAT(run.host.log[1],
             Catch::StartsWith("info: during the whole training, the model waited"));
}

TEST_CASE(
    "data_wait_monitor's lines can be turned off, and steps that aren't logged compute no value") {
  Waiting run(1, false);
  run.host.trainer.is_logging_step = 0;
  RunningCallback monitor(run.host, run.plugin.entry(), "data_wait_monitor");
  run.epoch(monitor, 3);
  Waiting::fire(monitor, GRAPNEL_HOOK_on_train_end);
  CHECK(run.host.metrics.empty());
  CHECK(run.host.log.empty());
}

TEST_CASE(
    "data_wait_monitor warns once about a high share, with advice, but not after a few batches") {
  Waiting run(0, false);  // any share is too high
  RunningCallback monitor(run.host, run.plugin.entry(), "data_wait_monitor");
  run.epoch(monitor, 4);
  CHECK(run.host.log.empty());
  RecordedState saved = monitor.save();
  CHECK(std::get<double>(*saved.find("warned_at")) == 0);
  CHECK(std::get<double>(*saved.find("total_wait_seconds")) >= 0.02);
  run.epoch(monitor, 6);
  REQUIRE(run.host.log.size() == 1);
  CHECK_THAT(run.host.log[0], Catch::StartsWith("warning: epoch 1: the model waited for data ") &&
                                  Catch::Contains("; read ahead in a thread"));

  // The warning is remembered: nothing can be half as bad again as everything.
  saved = monitor.save();
  CHECK(std::get<double>(*saved.find("warned_at")) > 0);
  for (auto& [key, value] : saved.entries) {
    if (key == "warned_at") value = 1.0;
  }
  RunningCallback resumed(run.host, run.plugin.entry(), "data_wait_monitor");
  REQUIRE(resumed.load(saved) == GRAPNEL_OK);
  run.epoch(resumed, 6);
  CHECK(run.host.log.size() == 1);
  saved.entries.pop_back();
  CHECK(resumed.load(saved) == GRAPNEL_ERROR);
}

}  // namespace data_wait_monitor_plugin_test
