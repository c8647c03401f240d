#include "grapnel/lr_schedulers/multi_step_lr.h"

#include <algorithm>
#include <cmath>

namespace grapnel {

MultiStepLR::MultiStepLR(std::shared_ptr<Optimizer> optimizer, std::vector<int64_t> milestones,
                         double gamma)
    : ScheduledLR(std::move(optimizer)), milestones_(std::move(milestones)), gamma_(gamma) {
  std::sort(milestones_.begin(), milestones_.end());
  initial_step();
}

std::vector<double> MultiStepLR::get_lr() {
  const auto [first, last] = std::equal_range(milestones_.begin(), milestones_.end(), last_epoch());
  if (first == last) return present_lrs();
  return scaled_lrs(std::pow(gamma_, last - first));
}

std::vector<double> MultiStepLR::closed_form_lr() {
  const auto passed =
      std::upper_bound(milestones_.begin(), milestones_.end(), last_epoch()) - milestones_.begin();
  std::vector<double> rates = base_lrs();
  for (double& rate : rates) rate *= std::pow(gamma_, passed);
  return rates;
}

}  // namespace grapnel
