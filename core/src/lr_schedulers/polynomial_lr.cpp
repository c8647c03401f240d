#include "grapnel/lr_schedulers/polynomial_lr.h"

#include <algorithm>
#include <cmath>

#include "lr_schedulers/checks.h"

namespace grapnel {

PolynomialLR::PolynomialLR(std::shared_ptr<Optimizer> optimizer, int64_t total_iters, double power)
    : ScheduledLR(std::move(optimizer)), total_iters_(total_iters), power_(power) {
  check_argument(total_iters >= 1, "PolynomialLR", "total_iters", "at least 1", total_iters);
  initial_step();
}

std::vector<double> PolynomialLR::get_lr() {
  if (is_initial() || last_epoch() > total_iters_) return present_lrs();
  const double total = static_cast<double>(total_iters_);
  const double now = 1.0 - static_cast<double>(last_epoch()) / total;
  const double before = 1.0 - static_cast<double>(last_epoch() - 1) / total;
  return scaled_lrs(std::pow(now / before, power_));
}

std::vector<double> PolynomialLR::closed_form_lr() {
  const double done = static_cast<double>(std::min(total_iters_, last_epoch()));
  std::vector<double> rates = base_lrs();
  for (double& rate : rates) {
    rate *= std::pow(1.0 - done / static_cast<double>(total_iters_), power_);
  }
  return rates;
}

}  // namespace grapnel
