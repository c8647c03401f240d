// The loop of Trainer::predict.
#pragma once

#include <vector>

#include "grapnel/trainer.h"
#include "run/loader_set.h"

namespace grapnel {

class Run;

class PredictionLoop {
 public:
  explicit PredictionLoop(Run& run) : run_(run) {}

  // Predictions per loader and batch, on the CPU.
  std::vector<Predictions> run();
  void setup_data();
  const LoaderSet& loaders() const { return set_; }

 private:
  void predict_every_sample();
  void predict(Batch batch, int64_t batch_idx, int64_t dataloader_idx,
               std::vector<Predictions>& results);

  Run& run_;
  LoaderSet set_;
  Lease every_sample_;  // loaders that otherwise drop their last batch
};

}  // namespace grapnel
