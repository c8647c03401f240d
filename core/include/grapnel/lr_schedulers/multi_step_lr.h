// Multiplies the rate by gamma at each milestone, as often as it is listed
// (torch.optim.lr_scheduler.MultiStepLR).
#pragma once

#include <memory>
#include <vector>

#include "grapnel/lr_schedulers/scheduled_lr.h"

namespace grapnel {

class GRAPNEL_CORE_API MultiStepLR : public ScheduledLR {
 public:
  // milestones: counts of steps, in any order.
  MultiStepLR(std::shared_ptr<Optimizer> optimizer, std::vector<int64_t> milestones,
              double gamma = 0.1);

 protected:
  std::vector<double> get_lr() override;
  std::vector<double> closed_form_lr() override;

 private:
  std::vector<int64_t> milestones_;  // sorted
  double gamma_;
};

}  // namespace grapnel
