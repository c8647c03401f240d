// Multiplies the rate by gamma every step_size steps (torch.optim.lr_scheduler.StepLR).
#pragma once

#include <memory>

#include "grapnel/lr_schedulers/scheduled_lr.h"

namespace grapnel {

class GRAPNEL_CORE_API StepLR : public ScheduledLR {
 public:
  // Throws ConfigError unless step_size >= 1.
  StepLR(std::shared_ptr<Optimizer> optimizer, int64_t step_size, double gamma = 0.1);

 protected:
  std::vector<double> get_lr() override;
  std::vector<double> closed_form_lr() override;

 private:
  int64_t step_size_;
  double gamma_;
};

}  // namespace grapnel
