// The loop over evaluation data: validation inside fit, validate, test.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "grapnel/batch.h"
#include "grapnel/lease.h"
#include "grapnel/metric_dict.h"
#include "run/loop.h"

namespace grapnel {

class EpochMetrics;
struct EvaluationKind;

class EvaluationLoop final : public Loop {
 public:
  // kind: of the run it belongs to; inside fit it validates.
  EvaluationLoop(Run& run, RunKind kind);

  Stage stage() const override;
  void check() const override;
  void setup_data() override;
  void run() override;
  void reload() override;

  // Of the last run, given away: one MetricDict per loader; empty when there was nothing to run.
  std::vector<MetricDict> take_results() { return std::move(results_); }
  const std::vector<MetricDict>& results() const { return results_; }

  void reset_progress();
  // Of the validation inside fit, before it comes.
  void setup_data_ahead();

  // Of the validation inside fit: batches of each loader that were evaluated, but for those of one
  // that a resumed run does again. The loggers' x-axis continues from them.
  StateList seen_batches(bool is_repeated) const;
  void continue_from(const StateList& seen);

 private:
  void load(bool ahead);
  bool inside_fit() const { return kind_ == RunKind::fit; }
  Progress& progress();
  // Batches per loader of the running stage (fewer in the sanity check); kUnlimited: until it ends.
  std::vector<int64_t> max_batches() const;
  bool skip() const;
  void reset();
  void evaluate_all(EpochMetrics& metrics);
  void evaluate(Batch batch, int64_t batch_idx, int64_t dataloader_idx, EpochMetrics& metrics);
  void evaluate_batch(Batch& batch, int64_t batch_idx, int64_t dataloader_idx);
  void end(EpochMetrics& metrics);

  RunKind kind_;
  const EvaluationKind& evaluation_;  // a validation or a test
  Fetcher fetcher_;
  std::vector<MetricDict> results_;
  std::vector<int64_t> seen_batches_;   // per loader since it was set up: the loggers' x-axis
  std::vector<int64_t> seen_at_start_;  // of the last run
  std::vector<int64_t> seen_before_;    // of the run that is resumed, until the loaders are there
  Lease modes_;                         // puts train and eval modes back
  bool last_ = false;
  int64_t loaded_ahead_in_ =
      -1;  // the epoch in which the loaders were made, without counting as that
};

}  // namespace grapnel
