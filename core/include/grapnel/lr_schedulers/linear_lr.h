// Changes the rate's factor linearly from start_factor to end_factor within total_iters steps: a
// warm-up (torch.optim.lr_scheduler.LinearLR).
#pragma once

#include <memory>

#include "grapnel/base/options_table.h"
#include "grapnel/lr_schedulers/scheduled_lr.h"

namespace grapnel {

struct LinearLROptions {
  double start_factor = 1.0 / 3;
  double end_factor = 1.0;
  int64_t total_iters = 5;
};

class GRAPNEL_CORE_API LinearLR : public ScheduledLR {
 public:
  // Throws ConfigError unless 0 < start_factor <= 1, 0 <= end_factor <= 1 and total_iters >= 1.
  explicit LinearLR(std::shared_ptr<Optimizer> optimizer,
                    double start_factor = LinearLROptions().start_factor,
                    double end_factor = LinearLROptions().end_factor,
                    int64_t total_iters = LinearLROptions().total_iters);
  LinearLR(std::shared_ptr<Optimizer> optimizer, const LinearLROptions& options);

  static const OptionsTable<LinearLROptions>& options_table();

 protected:
  std::vector<double> get_lr() override;
  std::vector<double> closed_form_lr() override;

 private:
  LinearLROptions options_;
};

}  // namespace grapnel
