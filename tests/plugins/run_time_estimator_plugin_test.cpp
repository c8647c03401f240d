// The arithmetic with given times, then the plugin as it is, whose clock nobody turns: of its numbers only what
// must hold on every machine.
#include "../../plugins/run_time_estimator/estimate.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "catch.h"
#include "sdk/testkit.h"

namespace run_time_estimator_plugin_test {

using namespace grapnel::test;
using run_time::Estimate;

namespace {

/// run_time_estimator in a training of 4 batches an epoch.
struct Estimated {
  RecordingHost host;
  PluginFile plugin{RUN_TIME_ESTIMATOR_PLUGIN};

  Estimated() {
    host.params = {{"window", std::int64_t{100}},
                   {"report_every", 1e6},
                   {"max_time", std::monostate()},
                   {"prog_bar", false}};
    host.trainer.num_training_batches = 4;
    host.trainer.max_epochs = 3;
    host.trainer.is_logging_step = 1;
  }

  /// Batches of at least 2 ms.
  void batches(RunningCallback& estimator, int count) {
    for (int i = 0; i < count; ++i) {
      const std::int64_t batch_idx = trained_++ % 4;
      host.trainer.current_epoch = (trained_ - 1) / 4;
      host.trainer.is_last_batch = batch_idx == 3;
      grapnel_TrainBatchStart start{};
      start.batch_idx = batch_idx;
      REQUIRE(estimator.fire(GRAPNEL_HOOK_on_train_batch_start, start) == GRAPNEL_OK);
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      ++host.trainer.global_step;
      REQUIRE(estimator.train_batch_end({}, batch_idx) == GRAPNEL_OK);
    }
  }
  static void fire(RunningCallback& estimator, std::uint32_t hook) {
    REQUIRE(estimator.fire<grapnel_Event>(hook) == GRAPNEL_OK);
  }
  bool logged(const std::string& text) const {
    return std::any_of(host.log.begin(), host.log.end(), [&](const std::string& line) {
      return line.find(text) != std::string::npos;
    });
  }

 private:
  std::int64_t trained_ = 0;
};

}  // namespace

TEST_CASE("remaining batches are estimated at the pace of the recent ones, without the first") {
  Estimate estimate(2);
  CHECK_FALSE(estimate.seconds_left(10));
  estimate.add_batch(100);
  CHECK(*estimate.seconds_left(10) == 1000);  // nothing better is known
  estimate.add_batch(1);
  CHECK(*estimate.seconds_left(10) == 10);
  estimate.add_batch(2);
  CHECK(*estimate.seconds_left(10) == 15);
  estimate.add_batch(4);  // the 1 is out of the window
  CHECK(*estimate.seconds_left(10) == 30);
}

TEST_CASE("remaining validations are estimated at the pace so far") {
  Estimate estimate(10);
  for (int i = 0; i < 4; ++i) estimate.add_batch(1);
  estimate.add_validation(6);
  CHECK(*estimate.seconds_left(8) == 8 + 2 * 6);
  estimate.add_batch(1);
  CHECK(*estimate.seconds_left(7) == 7 + 2 * 6);
  for (int i = 0; i < 3; ++i) estimate.add_batch(1);
  CHECK(*estimate.seconds_left(4) == 4 + 2 * 6);  // the one that is due now, and the last
  estimate.add_validation(10);
  CHECK(*estimate.seconds_left(4) == 4 + 8);  // the mean of both
  CHECK(*estimate.seconds_left(3) == 3);
}

TEST_CASE("an interval between validations may be a fraction of batches") {
  Estimate estimate(10);
  for (const int batches : {11, 11, 11, 12}) {  // four in an epoch of 45
    for (int i = 0; i < batches; ++i) estimate.add_batch(1);
    estimate.add_validation(1);
  }
  CHECK(*estimate.seconds_left(45) == 45 + 4);
}

TEST_CASE("a resumed training knows how long validations take") {
  Estimate estimate(10);
  for (int i = 0; i < 4; ++i) estimate.add_batch(1);
  estimate.add_validation(6);
  estimate.add_batch(1);
  Estimate resumed(10);
  resumed.go_on_from(estimate.validations());
  resumed.add_batch(1);
  CHECK(*resumed.seconds_left(6) == 6 + 2 * 6);
}

TEST_CASE("the estimate is shown in two units") {
  CHECK(run_time::in_words(0.4) == "0 s");
  CHECK(run_time::in_words(59.4) == "59 s");
  CHECK(run_time::in_words(59.6) == "1 min");
  CHECK(run_time::in_words(125) == "2 min 5 s");
  CHECK(run_time::in_words(3 * 3600 + 20 * 60 + 5) == "3 h 20 min");
  CHECK(run_time::in_words(2 * 86400 + 4 * 3600) == "2 d 4 h");
  CHECK(run_time::in_words(-1) == "0 s");
  CHECK(run_time::with_tenths(4.29) == "4.2");
  CHECK(run_time::with_tenths(12) == "12.0");
}

TEST_CASE("eta_seconds is logged when the loggers log and is zero after the last batch") {
  Estimated run;
  RunningCallback estimator(run.host, run.plugin.entry(), "run_time_estimator");
  Estimated::fire(estimator, GRAPNEL_HOOK_on_train_start);
  run.batches(estimator, 11);
  REQUIRE(run.host.metrics.size() == 11);
  for (const auto& metric : run.host.metrics) {
    CHECK(metric.name == "eta_seconds");
    CHECK(metric.flags == GRAPNEL_METRIC_ON_STEP);
  }
  CHECK(run.host.metrics[1].value >= 10 * 0.002);
  CHECK(run.host.metrics[10].value >= 0.002);
  run.batches(estimator, 1);
  CHECK(run.host.metrics[11].value == 0);
  run.host.trainer.is_logging_step = 0;
  run.batches(estimator, 1);
  CHECK(run.host.metrics.size() == 12);
}

TEST_CASE("max_steps limits the estimate, also with several batches per step") {
  Estimated run;
  run.host.trainer.max_epochs = -1;
  run.host.trainer.max_steps = 4;
  RunningCallback estimator(run.host, run.plugin.entry(), "run_time_estimator");
  Estimated::fire(estimator, GRAPNEL_HOOK_on_train_start);
  run.batches(estimator, 4);
  CHECK(run.host.metrics.back().value == 0);
  run.host.trainer.global_step = 2;  // as with accumulate_grad_batches 2
  run.host.trainer.max_steps = 5;
  Estimated::fire(estimator, GRAPNEL_HOOK_on_train_start);
  run.batches(estimator, 1);
  CHECK(run.host.metrics.back().value >= 2 * 0.002);
}

TEST_CASE("without a limit run_time_estimator logs no estimate and says so") {
  Estimated run;
  run.host.trainer.max_epochs = -1;
  RunningCallback estimator(run.host, run.plugin.entry(), "run_time_estimator");
  Estimated::fire(estimator, GRAPNEL_HOOK_on_train_start);
  run.batches(estimator, 5);
  CHECK(run.host.metrics.empty());
  CHECK(run.logged("neither max_epochs nor max_steps is set"));
}

TEST_CASE("an unknown epoch length is learned from the first epoch") {
  Estimated run;
  run.host.trainer.num_training_batches = -1;
  RunningCallback estimator(run.host, run.plugin.entry(), "run_time_estimator");
  Estimated::fire(estimator, GRAPNEL_HOOK_on_train_start);
  run.batches(estimator, 4);
  CHECK(run.host.metrics.empty());
  Estimated::fire(estimator, GRAPNEL_HOOK_on_train_epoch_end);
  run.batches(estimator, 1);
  REQUIRE(run.host.metrics.size() == 1);
  CHECK(run.host.metrics[0].value >= 7 * 0.002);
}

TEST_CASE("run_time_estimator logs the remaining time at its interval") {
  Estimated run;
  run.host.params["report_every"] = 0.001;
  run.host.trainer.is_logging_step = 0;
  RunningCallback estimator(run.host, run.plugin.entry(), "run_time_estimator");
  Estimated::fire(estimator, GRAPNEL_HOOK_on_train_start);
  run.batches(estimator, 6);
  REQUIRE(run.host.log.size() == 6);
  CHECK_THAT(run.host.log[5], Catch::StartsWith("info: about ") &&
                                  Catch::Contains(" left after ") &&
                                  Catch::EndsWith("1.5 of 3 epochs"));
  CHECK(run.host.metrics.empty());
}

TEST_CASE(
    "run_time_estimator warns once that a training won't end within max_time, after some batches") {
  Estimated run;
  run.host.params["max_time"] = 0.001;  // gone before the first batch ends
  run.host.trainer.max_epochs = 1000;
  RunningCallback estimator(run.host, run.plugin.entry(), "run_time_estimator");
  Estimated::fire(estimator, GRAPNEL_HOOK_on_train_start);
  run.batches(estimator, 19);
  CHECK(run.host.log.empty());
  run.batches(estimator, 3);
  REQUIRE(run.host.log.size() == 1);
  CHECK_THAT(run.host.log[0],
             Catch::StartsWith("warning: the training takes about ") &&
                 Catch::EndsWith("but max_time leaves 0 s, enough for 5.0 of 1000 epochs"));
}

TEST_CASE("run_time_estimator uses the trainer's max_time when it has none") {
  const auto warnings = [](const RecordingHost::Param& own, double of_trainer) {
    Estimated run;
    run.host.params["max_time"] = own;
    run.host.trainer.max_time = of_trainer;
    run.host.trainer.max_epochs = 1000;
    RunningCallback estimator(run.host, run.plugin.entry(), "run_time_estimator");
    Estimated::fire(estimator, GRAPNEL_HOOK_on_train_start);
    run.batches(estimator, 21);
    return run.host.log.size();
  };
  CHECK(warnings(std::monostate(), 0.001) == 1);
  CHECK(warnings(std::monostate(), 1e6) == 0);
  CHECK(warnings(1e6, 0.001) == 0);
}

TEST_CASE("run_time_estimator doesn't warn while max_time is enough") {
  Estimated run;
  run.host.params["max_time"] = 1e6;
  run.host.trainer.max_epochs = 10;
  RunningCallback estimator(run.host, run.plugin.entry(), "run_time_estimator");
  Estimated::fire(estimator, GRAPNEL_HOOK_on_train_start);
  run.batches(estimator, 25);
  CHECK(run.host.log.empty());
}

TEST_CASE("run_time_estimator's training and validation times survive a checkpoint") {
  Estimated run;
  RecordedState saved;
  {
    RunningCallback estimator(run.host, run.plugin.entry(), "run_time_estimator");
    Estimated::fire(estimator, GRAPNEL_HOOK_on_train_start);
    run.batches(estimator, 4);
    run.host.trainer.stage = GRAPNEL_STAGE_VALIDATE;
    Estimated::fire(estimator, GRAPNEL_HOOK_on_validation_start);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    Estimated::fire(estimator, GRAPNEL_HOOK_on_validation_end);
    run.host.trainer.stage = GRAPNEL_STAGE_TRAIN;
    saved = estimator.save();
  }
  CHECK(std::get<double>(*saved.find("elapsed_seconds")) >= 0.058);
  CHECK(std::get<double>(*saved.find("validation_seconds")) >= 0.05);
  CHECK(std::get<std::int64_t>(*saved.find("validation_batches")) == 4);

  RunningCallback resumed(run.host, run.plugin.entry(), "run_time_estimator");
  REQUIRE(resumed.load(saved) == GRAPNEL_OK);
  const RecordedState again = resumed.save();  // before the training goes on
  CHECK(std::get<double>(*again.find("elapsed_seconds")) ==
        std::get<double>(*saved.find("elapsed_seconds")));
  Estimated::fire(resumed, GRAPNEL_HOOK_on_train_start);
  run.host.metrics.clear();
  run.batches(resumed, 1);
  CHECK(run.host.metrics.back().value >= 2 * 0.05 + 7 * 0.002);

  saved.entries.erase(saved.entries.begin());
  CHECK(resumed.load(saved) == GRAPNEL_ERROR);
}

TEST_CASE("run_time_estimator leaves out the sanity check and validations of other runs") {
  Estimated run;
  RunningCallback estimator(run.host, run.plugin.entry(), "run_time_estimator");
  run.host.trainer.sanity_checking = 1;
  Estimated::fire(estimator, GRAPNEL_HOOK_on_validation_start);
  Estimated::fire(estimator, GRAPNEL_HOOK_on_validation_end);
  run.host.trainer.sanity_checking = 0;
  run.host.trainer.run = GRAPNEL_RUN_VALIDATE;
  Estimated::fire(estimator, GRAPNEL_HOOK_on_validation_start);
  Estimated::fire(estimator, GRAPNEL_HOOK_on_validation_end);
  CHECK(std::get<std::int64_t>(*estimator.save().find("validations")) == 0);
}

}  // namespace run_time_estimator_plugin_test
