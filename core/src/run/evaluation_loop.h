// The loop over evaluation data: validation inside fit, validate, test.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "grapnel/run_state.h"
#include "grapnel/trainer.h"
#include "run/loader_set.h"

namespace grapnel {

class Run;

class EvaluationLoop {
 public:
  // kind: of the run it belongs to; inside fit it validates.
  EvaluationLoop(Run& run, RunKind kind);

  // One MetricDict per loader; empty when there is nothing to run.
  std::vector<MetricDict> run();

  void setup_data();
  // Batches per loader of the running stage (fewer in the sanity check); kUnlimited: until it ends.
  std::vector<int64_t> max_batches() const;
  const LoaderSet& loaders() const { return set_; }
  void forget_loaders() { set_ = {}; }
  // Makes the loaders anew before the first batch, for another batch size.
  void reload();

  void reset_progress();

 private:
  bool testing() const { return kind_ == RunKind::test; }
  bool inside_fit() const { return kind_ == RunKind::fit; }
  Progress& progress();
  bool skip() const;
  void reset();
  void evaluate(Batch batch, int64_t batch_idx, int64_t dataloader_idx);
  void store_loader_metrics();
  std::vector<MetricDict> on_run_end();

  Run& run_;
  RunKind kind_;
  LoaderSet set_;
  Fetcher fetcher_;
  std::vector<MetricDict> logged_;
  std::vector<int64_t> seen_batches_;  // per loader since it was set up: the loggers' x-axis
  Lease modes_;                        // puts train and eval modes back
  bool last_ = false;
};

}  // namespace grapnel
