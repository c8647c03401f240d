// Multiplies the rate by gamma every step_size steps (torch.optim.lr_scheduler.StepLR).
#pragma once

#include <memory>

#include "grapnel/base/options_table.h"
#include "grapnel/lr_schedulers/scheduled_lr.h"

namespace grapnel {

struct StepLROptions {
  int64_t step_size = 0;
  double gamma = 0.1;
};

class GRAPNEL_CORE_API StepLR : public ScheduledLR {
 public:
  // Throws ConfigError unless step_size >= 1.
  StepLR(std::shared_ptr<Optimizer> optimizer, int64_t step_size,
         double gamma = StepLROptions().gamma);
  StepLR(std::shared_ptr<Optimizer> optimizer, const StepLROptions& options);

  static const OptionsTable<StepLROptions>& options_table();

 protected:
  std::vector<double> get_lr() override;
  std::vector<double> closed_form_lr() override;

 private:
  StepLROptions options_;
};

}  // namespace grapnel
