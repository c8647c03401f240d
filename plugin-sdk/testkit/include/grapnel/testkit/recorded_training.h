// A training without a model: calls the hooks of one callback in the order of a real one, with
// batches, losses, weights and gradients that are the same each time, and does what it requests.
//
//   RecordingHost host;
//   RunningCallback guard(host, plugin.entry(), "my_plugin");
//   TrainingPlan plan;
//   plan.loss = [](std::int64_t step) { return step == 2 ? NAN : 1.0; };
//   const RecordedTraining training = run_training(guard, plan);
//   training.outcome          GRAPNEL_OUTCOME_STOPPED
//   training.hooks            "setup", "on_fit_start", ...: those that the callback wants
//   host.requests             what it requested; also host.metrics, host.log, host.breaches
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "recording_host.h"

namespace grapnel::testkit {

struct TrainingPlan {
  std::int32_t run = GRAPNEL_RUN_FIT;
  std::int64_t epochs = 2;
  std::int64_t batches = 4;             // of an epoch of training
  std::int64_t validation_batches = 2;  // of a validation, test or prediction; 0: no validation
  std::int64_t accumulate_grad_batches = 1;
  bool sanity_check = true;
  bool checkpoints = true;  // one at the end of each epoch
  // The loss of the step-th batch of all epochs, from 0; none: a step without a loss. By default
  // 1, 1/2, 1/3, ...
  std::function<std::optional<double>(std::int64_t step)> loss{};
  std::int64_t fail_in_batch = -1;        // an exception in the training step of that batch
  std::int64_t signal_in_batch = -1;      // SIGTERM while that batch is trained
  const RecordedState* resume = nullptr;  // loaded before the training begins
};

struct RecordedTraining {
  std::vector<std::string> hooks;    // in order; "on_fit_start answered -1" for one that failed
  std::int32_t status = GRAPNEL_OK;  // of the first hook that failed
  std::string failed_hook;           // its name; empty: none did
  std::int32_t outcome = GRAPNEL_OUTCOME_FINISHED;
  std::int64_t steps = 0;                  // of the optimizer
  std::vector<RecordedState> checkpoints;  // the callback's state in each, if it has one
  // Of a metrics sink, in order: "metrics_sink.begin", "metrics_sink.write answered -1", ...
  std::vector<std::string> sink_calls;
};

/// Gives a host without parameters a linear layer of 3 inputs and 2 outputs: two parameters, a
/// buffer, a forward pass, and an SGD optimizer.
void add_small_model(RecordingHost& host);

RecordedTraining run_training(RunningCallback& callback, const TrainingPlan& plan = {});

/// The name of a hook; "hook 99" for one that this kit doesn't know.
std::string hook_name(std::uint32_t hook);

}  // namespace grapnel::testkit
