#include "grapnel/lr_schedulers/cosine_annealing_lr.h"

#include <cmath>
#include <numbers>

#include "values/float_limits.h"

namespace grapnel {

CosineAnnealingLR::CosineAnnealingLR(std::shared_ptr<Optimizer> optimizer, int64_t T_max,
                                     double eta_min)
    : CosineAnnealingLR(std::move(optimizer), CosineAnnealingLROptions{T_max, eta_min}) {}

CosineAnnealingLR::CosineAnnealingLR(std::shared_ptr<Optimizer> optimizer,
                                     const CosineAnnealingLROptions& options)
    : ScheduledLR(std::move(optimizer)), options_(options) {
  options_table().check(options_);
  initial_step();
}

const OptionsTable<CosineAnnealingLROptions>& CosineAnnealingLR::options_table() {
  using O = CosineAnnealingLROptions;
  static const OptionsTable<CosineAnnealingLROptions> table(
      "CosineAnnealingLR", "Lowers the rate along half a cosine.",
      {option("T_max", &O::T_max)
           .required()
           .at_least(1)
           .unit("steps")
           .doc("Steps down to the lowest rate."),
       option("eta_min", &O::eta_min).at_least(0).at_most(kLargestFloat).doc("The lowest rate.")});
  return table;
}

std::vector<double> CosineAnnealingLR::get_lr() {
  std::vector<double> rates = present_lrs();
  if (is_initial()) return rates;
  const double pi = std::numbers::pi;
  const double total = static_cast<double>(options_.T_max);
  const int64_t done = last_epoch() - 1;
  if (done % options_.T_max == 0 && done / options_.T_max % 2 != 0) {
    // At the bottom the ratio below has no value: the rate before was eta_min.
    const std::vector<double>& bases = base_lrs();
    for (size_t i = 0; i < rates.size(); ++i) {
      rates[i] += (bases[i] - options_.eta_min) * (1 - std::cos(pi / total)) / 2;
    }
    return rates;
  }
  const double now = 1 + std::cos(pi * static_cast<double>(last_epoch()) / total);
  const double before = 1 + std::cos(pi * static_cast<double>(last_epoch() - 1) / total);
  for (double& rate : rates) rate = now / before * (rate - options_.eta_min) + options_.eta_min;
  return rates;
}

std::vector<double> CosineAnnealingLR::closed_form_lr() {
  const double height = 1 + std::cos(std::numbers::pi * static_cast<double>(last_epoch()) /
                                     static_cast<double>(options_.T_max));
  std::vector<double> rates = base_lrs();
  for (double& rate : rates) rate = options_.eta_min + (rate - options_.eta_min) * height / 2;
  return rates;
}

}  // namespace grapnel
