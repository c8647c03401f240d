// The loop of Trainer::predict.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "grapnel/lease.h"
#include "grapnel/trainer.h"
#include "run/loop.h"

namespace grapnel {

class PredictionLoop final : public Loop {
 public:
  explicit PredictionLoop(Run& run) : Loop(run) {}

  Stage stage() const override { return Stage::predict; }
  void setup_data() override;
  void run() override;
  void reload() override { setup_data(); }

  // Of the last run, given away: per loader and batch, on the CPU.
  std::vector<Predictions> take_results() { return std::move(results_); }

 private:
  void predict_every_sample();
  void predict(Batch batch, int64_t batch_idx, int64_t dataloader_idx);

  std::vector<Predictions> results_;
  Lease every_sample_;  // loaders that otherwise drop their last batch
};

}  // namespace grapnel
