// Multiplies the rate by gamma at every step (torch.optim.lr_scheduler.ExponentialLR).
#pragma once

#include <memory>

#include "grapnel/lr_schedulers/scheduled_lr.h"

namespace grapnel {

class GRAPNEL_CORE_API ExponentialLR : public ScheduledLR {
 public:
  ExponentialLR(std::shared_ptr<Optimizer> optimizer, double gamma);

 protected:
  std::vector<double> get_lr() override;
  std::vector<double> closed_form_lr() override;

 private:
  double gamma_;
};

}  // namespace grapnel
