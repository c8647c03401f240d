// Logs the outputs of the model's layers in training: which of them die, blow up, or are the first
// to have a NaN.
//
// For every chosen layer that is observed (observed.h), "activation/LAYER/STATISTIC":
//
//   mean, std  of the finite values (std: of the population, not an estimate); NaN without any
//   max_abs    their greatest magnitude
//   zeros      share of the values that are exactly 0, in [0, 1]; of a ReLU: of units that are off
//   nonfinite  share of the values that are NaN or infinite, in [0, 1]
//
// They are taken over all calls of the layer by training_step, all tensors of its output, and all
// batches of an accumulation window, and logged after the batch that ends it, at the loggers' step
// of the training. They also go into callback_metrics, so that others can monitor them. The first
// layer in the order of the forward pass with an output that isn't finite is named in a
// warning, also when the step fails because of it.
//
// Steps that it looks at cost a few operations per call of a layer and one transfer from the
// device; the others are not observed. What is computed in evaluation, in other callbacks, or again
// in a backward pass doesn't count. It keeps no state.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "grapnel/base/options_table.h"
#include "grapnel/callback.h"
#include "grapnel/export.h"
#include "grapnel/lease.h"
#include "grapnel/metric_names.h"

namespace grapnel {

struct ActivationMonitorOptions {
  // Names of layers, as summaries list them, or patterns of them: '*' matches any characters,
  // '?' for one.
  std::vector<std::string> layers = {"*"};
  // Look at every n-th batch that an optimizer steps after; unset: at those that the trainer logs
  // (log_every_n_steps).
  std::optional<int64_t> every_n_steps = {};
};

class GRAPNEL_CORE_API ActivationMonitor : public Callback, public MetricSource {
 public:
  struct Statistics {
    double mean = 0.0;
    double std = 0.0;
    double max_abs = 0.0;
    double zeros = 0.0;
    double nonfinite = 0.0;
  };

  // Throws ConfigError for no layers or an every_n_steps below 1.
  explicit ActivationMonitor(ActivationMonitorOptions options = {});
  ~ActivationMonitor() override;

  static const OptionsTable<ActivationMonitorOptions>& options_table();

  // The chosen layers in the model's order; known from the start of a fit.
  std::vector<std::string> layers() const;
  // Of the last step that was looked at, in the order in which the layers finished; without those
  // that were not called, or had no floating-point outputs.
  const std::vector<std::pair<std::string, Statistics>>& statistics() const { return statistics_; }
  // Of the last step that was looked at; empty: all values were finite.
  const std::string& first_nonfinite_layer() const { return first_nonfinite_layer_; }

  std::vector<std::string> metric_names(const Trainer& trainer) const override;

  // "ActivationMonitor{'layers': ['*'], 'every_n_steps': None}", or the name.
  std::string state_key() const override;
  // Within a window of accumulation: what its batches so far came down to.
  StateDict state_dict() const override;
  void load_state_dict(const StateDict& state) override;

  void setup(StageEvent& event) override;
  // Throws ConfigError when no layer of the model is observed, or none has a chosen name.
  void on_fit_start(Event& event) override;
  void on_train_batch_start(TrainBatchStart& event) override;
  void on_train_batch_end(TrainBatchEnd& event) override;
  void on_exception(ExceptionEvent& event) override;
  void on_run_end(RunEnd& event) override;

 private:
  class Watcher;
  bool looks_at(const Trainer& trainer) const;
  bool evaluate(const Trainer& trainer);
  void log_statistics(Trainer& trainer) const;

  ActivationMonitorOptions options_;
  std::unique_ptr<Watcher> watcher_;
  StateDict loaded_;  // until the watcher is made
  Lease watching_;
  std::vector<std::pair<std::string, Statistics>> statistics_;
  std::string first_nonfinite_layer_;
  std::string warned_of_;  // the layer, until a look finds all values finite
};

}  // namespace grapnel
