#include "grapnel/lr_schedulers/polynomial_lr.h"

#include <algorithm>
#include <cmath>

#include "values/float_limits.h"

namespace grapnel {

PolynomialLR::PolynomialLR(std::shared_ptr<Optimizer> optimizer, int64_t total_iters, double power)
    : PolynomialLR(std::move(optimizer), PolynomialLROptions{total_iters, power}) {}

PolynomialLR::PolynomialLR(std::shared_ptr<Optimizer> optimizer, const PolynomialLROptions& options)
    : ScheduledLR(std::move(optimizer)), options_(options) {
  options_table().check(options_);
  initial_step();
}

const OptionsTable<PolynomialLROptions>& PolynomialLR::options_table() {
  using O = PolynomialLROptions;
  static const OptionsTable<PolynomialLROptions> table(
      "PolynomialLR", "Lowers the rate to 0 along a power of the time left.",
      {option("total_iters", &O::total_iters).at_least(1).unit("steps").doc("Steps until the end."),
       option("power", &O::power).at_least(0).at_most(kLargestFloat).doc("The power.")});
  return table;
}

std::vector<double> PolynomialLR::get_lr() {
  if (is_initial() || last_epoch() > options_.total_iters) return present_lrs();
  const double total = static_cast<double>(options_.total_iters);
  const double now = 1.0 - static_cast<double>(last_epoch()) / total;
  const double before = 1.0 - static_cast<double>(last_epoch() - 1) / total;
  return scaled_lrs(std::pow(now / before, options_.power));
}

std::vector<double> PolynomialLR::closed_form_lr() {
  const double done = static_cast<double>(std::min(options_.total_iters, last_epoch()));
  std::vector<double> rates = base_lrs();
  for (double& rate : rates) {
    rate *= std::pow(1.0 - done / static_cast<double>(options_.total_iters), options_.power);
  }
  return rates;
}

}  // namespace grapnel
