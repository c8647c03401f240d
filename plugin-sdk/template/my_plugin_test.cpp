// The plugin in trainings of the SDK's test kit, which needs no LibTorch.
#include <cmath>

#include <grapnel/testkit.hpp>

using namespace grapnel::testkit;

namespace {

// A training of eight batches whose loss is not a number from the given one on.
TrainingPlan with_nan_from(std::int64_t step) {
  TrainingPlan plan;
  plan.loss = [step](std::int64_t at) { return at < step ? 1.0 : std::nan(""); };
  return plan;
}

}  // namespace

TESTKIT_CASE("it leaves a training alone whose loss is finite") {
  RecordingHost host;
  host.params["patience"] = std::int64_t{1};
  const PluginFile plugin(PLUGIN_FILE);
  RunningCallback callback(host, plugin.entry(), "my_plugin");
  const RecordedTraining training = run_training(callback);
  TESTKIT_CHECK(training.outcome == GRAPNEL_OUTCOME_FINISHED);
  TESTKIT_CHECK(training.steps == 8);
  TESTKIT_CHECK(host.requests.empty());
  TESTKIT_CHECK(host.breaches.empty());
}

TESTKIT_CASE("it stops the training after as many batches without a finite loss as patience says") {
  RecordingHost host;
  host.params["patience"] = std::int64_t{2};
  const PluginFile plugin(PLUGIN_FILE);
  RunningCallback callback(host, plugin.entry(), "my_plugin");
  const RecordedTraining training = run_training(callback, with_nan_from(1));
  TESTKIT_CHECK(training.outcome == GRAPNEL_OUTCOME_STOPPED);
  TESTKIT_CHECK(training.steps == 3);
  TESTKIT_CHECK(host.requests.size() == 1);
  TESTKIT_CHECK(host.requests.at(0).kind == GRAPNEL_REQUEST_STOP);
  TESTKIT_CHECK(host.requests.at(0).reason == "loss is not finite");
}

TESTKIT_CASE("a resumed training counts on from the checkpoint") {
  RecordingHost host;
  host.params["patience"] = std::int64_t{100};
  const PluginFile plugin(PLUGIN_FILE);
  RunningCallback callback(host, plugin.entry(), "my_plugin");
  const RecordedTraining training = run_training(callback, with_nan_from(3));
  const RecordedState& last = training.checkpoints.at(1);
  TESTKIT_CHECK(std::get<std::int64_t>(*last.find("seen")) == 5);

  RunningCallback resumed(host, plugin.entry(), "my_plugin");
  TrainingPlan plan = with_nan_from(0);
  plan.resume = &last;
  plan.epochs = 1;
  TESTKIT_CHECK(
      std::get<std::int64_t>(*run_training(resumed, plan).checkpoints.at(0).find("seen")) == 9);
}
