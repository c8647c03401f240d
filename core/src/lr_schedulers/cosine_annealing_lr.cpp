#include "grapnel/lr_schedulers/cosine_annealing_lr.h"

#include <cmath>
#include <numbers>

#include "lr_schedulers/checks.h"

namespace grapnel {

CosineAnnealingLR::CosineAnnealingLR(std::shared_ptr<Optimizer> optimizer, int64_t T_max,
                                     double eta_min)
    : ScheduledLR(std::move(optimizer)), T_max_(T_max), eta_min_(eta_min) {
  check_argument(T_max >= 1, "CosineAnnealingLR", "T_max", "at least 1", T_max);
  initial_step();
}

std::vector<double> CosineAnnealingLR::get_lr() {
  std::vector<double> rates = present_lrs();
  if (is_initial()) return rates;
  const double pi = std::numbers::pi;
  const double total = static_cast<double>(T_max_);
  if ((last_epoch() - 1 - T_max_) % (2 * T_max_) == 0) {
    // At the bottom the ratio below has no value: the rate before was eta_min.
    const std::vector<double>& bases = base_lrs();
    for (size_t i = 0; i < rates.size(); ++i) {
      rates[i] += (bases[i] - eta_min_) * (1 - std::cos(pi / total)) / 2;
    }
    return rates;
  }
  const double now = 1 + std::cos(pi * static_cast<double>(last_epoch()) / total);
  const double before = 1 + std::cos(pi * static_cast<double>(last_epoch() - 1) / total);
  for (double& rate : rates) rate = now / before * (rate - eta_min_) + eta_min_;
  return rates;
}

std::vector<double> CosineAnnealingLR::closed_form_lr() {
  const double height = 1 + std::cos(std::numbers::pi * static_cast<double>(last_epoch()) /
                                     static_cast<double>(T_max_));
  std::vector<double> rates = base_lrs();
  for (double& rate : rates) rate = eta_min_ + (rate - eta_min_) * height / 2;
  return rates;
}

}  // namespace grapnel
