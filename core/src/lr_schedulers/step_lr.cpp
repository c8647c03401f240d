#include "grapnel/lr_schedulers/step_lr.h"

#include <cmath>

#include "lr_schedulers/checks.h"

namespace grapnel {

StepLR::StepLR(std::shared_ptr<Optimizer> optimizer, int64_t step_size, double gamma)
    : ScheduledLR(std::move(optimizer)), step_size_(step_size), gamma_(gamma) {
  check_argument(step_size >= 1, "StepLR", "step_size", "at least 1", step_size);
  initial_step();
}

std::vector<double> StepLR::get_lr() {
  if (last_epoch() == 0 || last_epoch() % step_size_ != 0) return present_lrs();
  return scaled_lrs(gamma_);
}

std::vector<double> StepLR::closed_form_lr() {
  std::vector<double> rates = base_lrs();
  const double factor = std::pow(gamma_, last_epoch() / step_size_);
  for (double& rate : rates) rate *= factor;
  return rates;
}

}  // namespace grapnel
