// Keeps an exponential moving average of the weights: average = decay average + (1 - decay)
// weights.
//
//   EMAWeightAveraging({.decay = 0.999, .update_every_n_steps = 10})
//
// After Lightning's class of that name; what happens with the average is WeightAveraging's.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "grapnel/callbacks/weight_averaging.h"

namespace grapnel {

struct EMAWeightAveragingOptions {
  std::string device = {};  // where the average is kept ("cpu"); empty: with the model
  bool use_buffers = true;  // average buffers (running statistics) too
  double decay = 0.999;     // share of the average that stays at an update, 0 to 1
  // Update when so many optimizer steps have passed since the last update; 0: not after steps, only
  // after epochs.
  int64_t update_every_n_steps = 1;
  std::optional<int64_t> update_starting_at_step = {};  // first step, from 0; unset: the first one
  std::optional<int64_t> update_starting_at_epoch =
      {};  // update after epochs from this one, from 0
};

class GRAPNEL_CORE_API EMAWeightAveraging final : public WeightAveraging {
 public:
  // Throws ConfigError for an option out of range.
  explicit EMAWeightAveraging(EMAWeightAveragingOptions options = {});

  static const OptionsTable<EMAWeightAveragingOptions>& options_table();

  // Throws ConfigError when nothing would ever update the average: update_every_n_steps is 0 and
  // update_starting_at_epoch is unset.
  void setup(StageEvent& event) override;
  bool should_update(std::optional<int64_t> step_idx, std::optional<int64_t> epoch_idx) override;

 private:
  std::optional<double> model_share() const override { return 1 - options_.decay; }

  EMAWeightAveragingOptions options_;
};

}  // namespace grapnel
