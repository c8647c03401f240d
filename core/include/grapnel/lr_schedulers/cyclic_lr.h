// Back and forth between base_lr and max_lr, the momentum going the other way
// (torch.optim.lr_scheduler.CyclicLR; Smith, "Cyclical Learning Rates", 2017). To be stepped after
// every batch.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "grapnel/base/options_table.h"
#include "grapnel/lr_schedulers/scheduled_lr.h"

namespace grapnel {

// What happens to the height of the triangles: nothing; halved each cycle; gamma^step.
enum class CyclicMode { triangular, triangular2, exp_range };
// What a scale function is given: the number of the cycle from 1, or the count of steps.
enum class CyclicScaleMode { cycle, iterations };

struct CyclicLROptions {
  std::vector<double> base_lr = {};  // one for all groups, or one each
  std::vector<double> max_lr = {};
  int64_t step_size_up = 2000;                 // steps from base_lr to max_lr
  std::optional<int64_t> step_size_down = {};  // and back; unset: the same
  CyclicMode mode = CyclicMode::triangular;
  double gamma = 1.0;                                   // of exp_range
  std::function<double(double)> scale_fn = {};          // instead of mode
  CyclicScaleMode scale_mode = CyclicScaleMode::cycle;  // of scale_fn
  bool cycle_momentum = true;  // "momentum" or "beta1", whichever the optimizer has
  std::vector<double> base_momentum = {0.8};
  std::vector<double> max_momentum = {0.9};
};

class GRAPNEL_CORE_API CyclicLR : public ScheduledLR {
 public:
  // Throws ConfigError for step sizes below 1, another number of values than groups, or
  // cycle_momentum under an optimizer without one.
  CyclicLR(std::shared_ptr<Optimizer> optimizer, CyclicLROptions options);

  static const OptionsTable<CyclicLROptions>& options_table();

 protected:
  std::vector<double> get_lr() override;

 private:
  double scale(double cycle) const;
  CyclicLROptions options_;
  double total_size_;
  double step_ratio_;
};

}  // namespace grapnel
