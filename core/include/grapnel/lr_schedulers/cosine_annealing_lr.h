// Half a cosine from the base rate down to eta_min within T_max steps, and up again
// (torch.optim.lr_scheduler.CosineAnnealingLR; Loshchilov and Hutter, "SGDR", 2017).
#pragma once

#include <memory>

#include "grapnel/lr_schedulers/scheduled_lr.h"

namespace grapnel {

class GRAPNEL_CORE_API CosineAnnealingLR : public ScheduledLR {
 public:
  // Throws ConfigError unless T_max >= 1.
  CosineAnnealingLR(std::shared_ptr<Optimizer> optimizer, int64_t T_max, double eta_min = 0.0);

 protected:
  std::vector<double> get_lr() override;
  std::vector<double> closed_form_lr() override;

 private:
  int64_t T_max_;
  double eta_min_;
};

}  // namespace grapnel
