#include "grapnel/lr_schedulers/exponential_lr.h"

#include <cmath>

namespace grapnel {

ExponentialLR::ExponentialLR(std::shared_ptr<Optimizer> optimizer, double gamma)
    : ScheduledLR(std::move(optimizer)), gamma_(gamma) {
  initial_step();
}

std::vector<double> ExponentialLR::get_lr() {
  return is_initial() ? present_lrs() : scaled_lrs(gamma_);
}

std::vector<double> ExponentialLR::closed_form_lr() {
  std::vector<double> rates = base_lrs();
  for (double& rate : rates) rate *= std::pow(gamma_, last_epoch());
  return rates;
}

}  // namespace grapnel
