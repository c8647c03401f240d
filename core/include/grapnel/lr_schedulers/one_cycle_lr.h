// One cycle: up from max_lr / div_factor to max_lr, then down to far below the start; the momentum
// goes the other way (torch.optim.lr_scheduler.OneCycleLR; Smith and Topin, "Super-Convergence",
// 2018). To be stepped after every batch.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "grapnel/base/options_table.h"
#include "grapnel/lr_schedulers/annealing.h"
#include "grapnel/lr_schedulers/scheduled_lr.h"

namespace grapnel {

struct OneCycleLROptions {
  std::vector<double> max_lr = {};  // one for all groups, or one each
  // The length of the cycle: total_steps, or epochs and steps_per_epoch.
  std::optional<int64_t> total_steps = {};
  std::optional<int64_t> epochs = {};
  std::optional<int64_t> steps_per_epoch = {};
  double pct_start = 0.3;  // share of the cycle in which the rate rises, in [0, 1]
  AnnealStrategy anneal_strategy = AnnealStrategy::cos;
  // Cycles "momentum" or "beta1", whichever the optimizer has.
  bool cycle_momentum = true;
  std::vector<double> base_momentum = {0.85};
  std::vector<double> max_momentum = {0.95};
  double div_factor = 25.0;       // max_lr / the first rate
  double final_div_factor = 1e4;  // the first rate / the last one
  bool three_phase = false;       // down to the first rate as fast as up, then to the last one
};

class GRAPNEL_CORE_API OneCycleLR : public ScheduledLR {
 public:
  // Throws ConfigError for lengths below 1 or none, pct_start outside [0, 1], another number of
  // values than groups, or cycle_momentum under an optimizer without one. A step past the end of
  // the cycle throws ConfigError too.
  OneCycleLR(std::shared_ptr<Optimizer> optimizer, OneCycleLROptions options);

  static const OptionsTable<OneCycleLROptions>& options_table();

 protected:
  std::vector<double> get_lr() override;

 private:
  struct Phase {
    double end_step;
    const char* start_lr;  // options of the group
    const char* end_lr;
    const char* start_momentum;
    const char* end_momentum;
  };
  std::vector<Phase> phases_;
  int64_t total_steps_;
  AnnealStrategy strategy_;
  bool cycle_momentum_;
};

}  // namespace grapnel
