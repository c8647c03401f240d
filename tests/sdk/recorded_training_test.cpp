// The test kit's recorded training: its order of hooks, the ways to end it, and what its host refuses.
#include <grapnel/testkit/recorded_training.h>

#include <algorithm>
#include <cmath>
#include <thread>

#include "catch.h"
#include "wrapped.h"

namespace recorded_training_test {

using namespace grapnel::test;
using grapnel::plugin::Callback;

namespace {

// Wants every hook that the wrapper offers for a fit, and requests what the test says.
std::function<void(const std::string&, Callback::Event&)> at_hook;

struct Watcher final : Callback {
  void setup(StageEvent& event) override { saw("setup", event); }
  void on_fit_start(Event& event) override { saw("on_fit_start", event); }
  void on_train_epoch_start(Event& event) override { saw("on_train_epoch_start", event); }
  void on_train_batch_start(TrainBatchStart& event) override { saw("on_train_batch_start", event); }
  void on_train_batch_end(TrainBatchEnd& event) override { saw("on_train_batch_end", event); }
  void on_validation_start(Event& event) override { saw("on_validation_start", event); }
  void on_validation_end(Event& event) override { saw("on_validation_end", event); }
  void on_train_epoch_end(Event& event) override { saw("on_train_epoch_end", event); }
  void on_exception(ExceptionEvent& event) override { saw("on_exception", event); }
  void teardown(StageEvent& event) override { saw("teardown", event); }
  void on_run_end(RunEnd& event) override { saw("on_run_end", event); }

  void saw(const std::string& hook, Callback::Event& event) {
    if (at_hook) at_hook(hook, event);
  }
};

RecordedTraining train(RecordingHost& host, const TrainingPlan& plan,
                       std::function<void(const std::string&, Callback::Event&)> what = {}) {
  at_hook = std::move(what);
  RunningCallback callback(host, plugin_of<Watcher>(), "it");
  RecordedTraining training = run_training(callback, plan);
  at_hook = {};
  return training;
}

std::int64_t count(const RecordedTraining& training, const std::string& hook) {
  return std::count(training.hooks.begin(), training.hooks.end(), hook);
}

}  // namespace

TEST_CASE(
    "a recorded training fires the hooks that the callback wants, in the order of a real one") {
  RecordingHost host;
  TrainingPlan plan;
  plan.epochs = 1;
  plan.batches = 1;
  CHECK(train(host, plan).hooks ==
        std::vector<std::string>{"setup", "on_fit_start", "on_validation_start",
                                 "on_validation_end", "on_train_epoch_start",
                                 "on_train_batch_start", "on_train_batch_end",
                                 "on_validation_start", "on_validation_end", "on_train_epoch_end",
                                 "teardown", "on_run_end"});
  CHECK(host.live_handles == 0);
}

TEST_CASE("a recorded training is the same each time, and updates the weights") {
  RecordingHost first, second;
  const RecordedTraining one = train(first, {}), other = train(second, {});
  CHECK(one.hooks == other.hooks);
  CHECK(one.steps == 8);
  CHECK(first.parameters[0].tensor->values == second.parameters[0].tensor->values);
  CHECK(first.parameters[0].tensor->values[0] < 1);
}

TEST_CASE("a recorded training does what the callback requests") {
  const auto requested_at = [](std::string hook, void (*request)(Callback::Event&)) {
    return [hook, request](const std::string& at, Callback::Event& event) {
      if (at == hook) request(event);
    };
  };
  RecordingHost stopping, ending;
  RecordedTraining training =
      train(stopping, {}, requested_at("on_train_batch_end", [](Callback::Event& event) {
              event.request_stop("enough");
            }));
  CHECK(training.steps == 1);
  CHECK(training.outcome == GRAPNEL_OUTCOME_STOPPED);
  training = train(ending, {}, requested_at("on_train_batch_end", [](Callback::Event& event) {
                     event.request_end_epoch("next");
                   }));
  CHECK(training.steps == 2);
  CHECK(training.outcome == GRAPNEL_OUTCOME_FINISHED);
}

TEST_CASE("an exception and a signal end a recorded training without its last hooks") {
  RecordingHost host;
  TrainingPlan plan;
  plan.fail_in_batch = 2;
  RecordedTraining training = train(host, plan);
  CHECK(training.outcome == GRAPNEL_OUTCOME_FAILED);
  CHECK(count(training, "on_exception") == 1);
  CHECK(count(training, "teardown") == 0);
  CHECK(training.hooks.back() == "on_run_end");
  plan.fail_in_batch = -1;
  plan.signal_in_batch = 1;
  training = train(host, plan);
  CHECK(training.outcome == GRAPNEL_OUTCOME_INTERRUPTED);
  CHECK(count(training, "on_train_batch_end") == 2);
}

TEST_CASE("a hook that fails ends the recorded training and is named") {
  RecordingHost host;
  const RecordedTraining training = train(host, {}, [](const std::string& hook, Callback::Event&) {
    if (hook == "on_validation_end") throw std::runtime_error("no");
  });
  CHECK(training.failed_hook == "on_validation_end");
  CHECK(training.status == GRAPNEL_ERROR);
  CHECK(host.failures.at(0) == "std::runtime_error: no");
  CHECK(training.outcome == GRAPNEL_OUTCOME_FAILED);
}

TEST_CASE("every service of the kit fails on demand, by its name") {
  RecordingHost host;
  host.failing = {"metrics.log_f64"};
  CHECK(train(host, {}, [](const std::string&, Callback::Event& event) {
          event.log("x", 1);
        }).status == GRAPNEL_PENDING);
  CHECK(host.pending);
  CHECK(host.services.count("metrics.log_f64") == 1);
}

TEST_CASE("a handle that was released already is a breach of the contract") {
  RecordingHost host;
  const auto* tensors = [&] {
    const void* table = nullptr;
    host.abi()->get_extension(host.abi(), to_abi(GRAPNEL_EXT_TENSORS), &table);
    return static_cast<const grapnel_tensors*>(table);
  }();
  grapnel_tensor* handle = host.new_handle(FakeTensor::scalar(1));
  CHECK(tensors->release(host.abi(), handle) == GRAPNEL_OK);
  CHECK(tensors->release(host.abi(), handle) == GRAPNEL_INVALID_ARGUMENT);
  CHECK(host.breaches ==
        std::vector<std::string>{"tensors.release: a handle or text that no host takes"});
}

TEST_CASE("a service of the training thread refuses another thread") {
  RecordingHost host;
  const void* table = nullptr;
  host.abi()->get_extension(host.abi(), to_abi(GRAPNEL_EXT_METRICS), &table);
  std::int32_t status = 0;
  std::thread([&] {
    status =
        static_cast<const grapnel_metrics*>(table)->log_f64(host.abi(), to_abi("x"), 1, nullptr);
  }).join();
  CHECK(status == GRAPNEL_WRONG_THREAD);
  CHECK(host.breaches.size() == 1);
}

TEST_CASE("an older host has shorter tables and a grown one longer ones") {
  const auto metrics = [](HostShape shape) {
    static std::vector<std::unique_ptr<RecordingHost>> hosts;
    hosts.push_back(std::make_unique<RecordingHost>());
    hosts.back()->shape = shape;
    const void* table = nullptr;
    hosts.back()->abi()->get_extension(hosts.back()->abi(), to_abi(GRAPNEL_EXT_METRICS), &table);
    return *static_cast<const std::uint32_t*>(table);
  };
  CHECK(metrics(HostShape::older) == 48);
  CHECK(metrics(HostShape::grown) == sizeof(grapnel_metrics) + 32);
  RecordingHost grown;
  grown.shape = HostShape::grown;
  CHECK(train(grown, {}).outcome == GRAPNEL_OUTCOME_FINISHED);
}

TEST_CASE("a recorded training has the services of a run: rates, terms, forward, times") {
  struct User final : Callback {
    void on_before_backward(BackwardEvent& event) override {
      const auto recording = event.record();
      event.add_term("l1", event.parameters()[0].tensor().sum());
    }
    void on_train_batch_start(TrainBatchStart& event) override {
      if (event.global_step() == 0) event.schedule().set_factor(0);
    }
    void on_train_batch_end(TrainBatchEnd& event) override { rate = event.schedule().rate(0, 0); }
    double rate = -1;
  };
  RecordingHost host;
  RunningCallback callback(host, plugin_of<User>(), "it");
  TrainingPlan plan;
  plan.epochs = 1;
  const RecordedTraining training = run_training(callback, plan);
  CHECK(training.outcome == GRAPNEL_OUTCOME_FINISHED);
  CHECK(training.steps == 4);
  CHECK(host.rate_factors.size() == 1);
  CHECK(host.loss_terms.size() == 4);
  CHECK(host.loss_terms.at(0).first == "l1");
  CHECK(host.parameters[0].tensor->values[0] == 1);  // with the rate 0 nothing moves
  CHECK(host.times->batches == 4);
  CHECK(host.times->samples == 16);
  const FakeTensorPtr input = FakeTensor::make({1, 0, 0});
  input->sizes = {1, 3};
  CHECK(host.forward(input)->values == std::vector<double>{1, 3.5});
}

TEST_CASE("a step without a loss has no backward pass and leaves the weights") {
  static int backward_passes;
  backward_passes = 0;
  struct Counter final : Callback {
    void on_before_backward(BackwardEvent&) override { ++backward_passes; }
    void on_after_backward(Event&) override { ++backward_passes; }
  };
  RecordingHost host;
  RunningCallback callback(host, plugin_of<Counter>(), "it");
  TrainingPlan plan;
  plan.epochs = 1;
  plan.loss = [](std::int64_t step) {
    return step == 0 ? std::optional<double>() : std::optional<double>(1);
  };
  const RecordedTraining training = run_training(callback, plan);
  CHECK(training.steps == 4);
  CHECK(backward_passes == 6);
  CHECK(host.parameters[0].tensor->values[0] == Approx(1 - 3 * 0.1 * 0.5));
}

TEST_CASE("a recorded training gives a metrics sink its records between begin and end") {
  static std::vector<std::string> lines;
  lines.clear();
  struct Sink final : Callback, grapnel::plugin::MetricsSink {
    void on_validation_end(Event& event) override { event.log("mine", 1); }
    void write_metrics(grapnel::plugin::Services&,
                       const grapnel::plugin::MetricRecords& records) override {
      for (std::size_t i = 0; i < records.size(); ++i) {
        lines.push_back(std::string(records[i].name()) + "@" + std::to_string(records[i].step()) +
                        (records[i].in_evaluation() ? " eval" : ""));
      }
    }
  };
  RecordingHost host;
  RunningCallback callback(host, plugin_of<Sink>(), "it");
  TrainingPlan plan;
  plan.epochs = 1;
  plan.batches = 2;
  plan.sanity_check = false;
  const RecordedTraining training = run_training(callback, plan);
  CHECK(lines ==
        std::vector<std::string>{"train_loss@1", "train_loss@2", "val_loss@2 eval", "mine@2 eval"});
  CHECK(training.sink_calls.front() == "metrics_sink.begin");
  CHECK(training.sink_calls.back() == "metrics_sink.end");
  CHECK(host.metrics.size() == 1);
}

TEST_CASE("a sink that fails is noted, and the recorded training continues") {
  struct Sink final : Callback, grapnel::plugin::MetricsSink {
    void write_metrics(grapnel::plugin::Services&, const grapnel::plugin::MetricRecords&) override {
      throw std::runtime_error("no network");
    }
  };
  RecordingHost host;
  RunningCallback callback(host, plugin_of<Sink>(), "it");
  const RecordedTraining training = run_training(callback);
  CHECK(training.outcome == GRAPNEL_OUTCOME_FINISHED);
  CHECK(training.steps == 8);
  CHECK(std::count(training.sink_calls.begin(), training.sink_calls.end(),
                   "metrics_sink.write answered -1") > 0);
}

}  // namespace recorded_training_test
