// Logs how fast batches, samples, items and operations go through, over a window of batches.
//
// After Lightning's class of that name; the window's arithmetic is in Throughput. Per stage, with
// the stage's name in front ("train/device/samples_per_sec"): device/batches_per_sec,
// device/samples_per_sec, device/items_per_sec (with a length_fn), device/flops_per_sec and
// device/mfu (model FLOPs utilisation: the share of available_flops), each once the window is full;
// and since the stage began time in seconds, batches, samples, lengths. Logged at the trainer's
// log_every_n_steps; under gradient accumulation after the last batch of a window. The time of
// validations doesn't count as training's. It keeps no state.
//
// FLOPs of a batch are the module's flops_per_batch(); a module without it has them counted
// (FlopCounter) with count_flops, at the first batch of each size.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "grapnel/base/options_table.h"
#include "grapnel/callback.h"
#include "grapnel/export.h"
#include "grapnel/run_state.h"
#include "grapnel/throughput.h"

namespace grapnel {

class FlopCounter;

struct ThroughputMonitorOptions {
  // Samples of a batch; unset: the first dimension of its first tensor.
  std::function<int64_t(const Batch&)> batch_size_fn = {};
  // Items of a batch, tokens for instance; unset: they are not counted.
  std::function<int64_t(const Batch&)> length_fn = {};
  int64_t window_size = 100;                   // batches, at least 2
  std::string separator = "/";                 // between the parts of names
  std::optional<double> available_flops = {};  // per second, of the device at its best
  bool count_flops = false;                    // where the module has no flops_per_batch()
};

class GRAPNEL_CORE_API ThroughputMonitor : public Callback {
 public:
  // Throws ConfigError for a window below 2 or available_flops that are not above 0.
  explicit ThroughputMonitor(ThroughputMonitorOptions options = {});
  ~ThroughputMonitor() override;

  static const OptionsTable<ThroughputMonitorOptions>& options_table();

  // "ThroughputMonitor{'window_size': 100, 'separator': '/'}", or the name.
  std::string state_key() const override;
  // {"train": {"time", "batches", "samples", "lengths"}}: the totals, which a resumed run counts on
  // from; the window of the rates starts over.
  StateDict state_dict() const override;
  void load_state_dict(const StateDict& state) override;

  void setup(StageEvent& event) override;
  void on_train_start(Event& event) override;
  void on_train_batch_start(TrainBatchStart& event) override;
  void on_train_batch_end(TrainBatchEnd& event) override;
  void on_validation_start(Event& event) override;
  void on_validation_batch_start(EvalBatchStart& event) override;
  void on_validation_batch_end(EvalBatchEnd& event) override;
  void on_validation_end(Event& event) override;
  void on_test_start(Event& event) override;
  void on_test_batch_start(EvalBatchStart& event) override;
  void on_test_batch_end(EvalBatchEnd& event) override;
  void on_predict_start(Event& event) override;
  void on_predict_batch_start(EvalBatchStart& event) override;
  void on_predict_batch_end(EvalBatchEnd& event) override;
  void on_run_end(RunEnd& event) override;

 private:
  // What one stage has done.
  struct Totals {
    double time = 0.0;  // seconds, at the end of the last batch
    int64_t batches = 0;
    int64_t samples = 0;
    int64_t lengths = 0;
  };
  struct Progress {
    explicit Progress(const ThroughputMonitorOptions& options);
    Throughput throughput;
    double started = 0.0;  // reading of the clock
    Totals totals;
    std::map<int64_t, double> flops_by_size;  // counted, by samples of the batch
  };

  Progress& progress(const Trainer& trainer);
  void start(const Trainer& trainer);
  void before_batch(const Trainer& trainer, const Batch& batch);
  void after_batch(const Trainer& trainer, Module& module, const Batch& batch);
  std::optional<double> flops_of(Module& module, Progress& stage, int64_t samples);
  void log_rates(Trainer& trainer, std::optional<int64_t> step);

  ThroughputMonitorOptions options_;
  std::map<Stage, Progress> stages_;
  Totals loaded_;                         // of the training, until it starts
  std::unique_ptr<FlopCounter> counter_;  // while it counts a batch
  bool warned_ = false;
};

}  // namespace grapnel
