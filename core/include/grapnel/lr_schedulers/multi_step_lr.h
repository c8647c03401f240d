// Multiplies the rate by gamma at each milestone, as often as it is listed
// (torch.optim.lr_scheduler.MultiStepLR).
#pragma once

#include <memory>
#include <vector>

#include "grapnel/base/options_table.h"
#include "grapnel/lr_schedulers/scheduled_lr.h"

namespace grapnel {

struct MultiStepLROptions {
  std::vector<int64_t> milestones = {};  // counts of steps, in any order
  double gamma = 0.1;
};

class GRAPNEL_CORE_API MultiStepLR : public ScheduledLR {
 public:
  // milestones: counts of steps, in any order.
  MultiStepLR(std::shared_ptr<Optimizer> optimizer, std::vector<int64_t> milestones,
              double gamma = MultiStepLROptions().gamma);
  MultiStepLR(std::shared_ptr<Optimizer> optimizer, const MultiStepLROptions& options);

  static const OptionsTable<MultiStepLROptions>& options_table();

 protected:
  std::vector<double> get_lr() override;
  std::vector<double> closed_form_lr() override;

 private:
  MultiStepLROptions options_;
};

}  // namespace grapnel
