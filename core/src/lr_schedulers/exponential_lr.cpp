#include "grapnel/lr_schedulers/exponential_lr.h"

#include <cmath>

#include "values/float_limits.h"

namespace grapnel {

ExponentialLR::ExponentialLR(std::shared_ptr<Optimizer> optimizer, double gamma)
    : ExponentialLR(std::move(optimizer), ExponentialLROptions{gamma}) {}

ExponentialLR::ExponentialLR(std::shared_ptr<Optimizer> optimizer,
                             const ExponentialLROptions& options)
    : ScheduledLR(std::move(optimizer)), options_(options) {
  options_table().check(options_);
  initial_step();
}

const OptionsTable<ExponentialLROptions>& ExponentialLR::options_table() {
  using O = ExponentialLROptions;
  static const OptionsTable<ExponentialLROptions> table("ExponentialLR",
                                                        "Multiplies the rate at every step.",
                                                        {option("gamma", &O::gamma)
                                                             .required()
                                                             .at_least(0)
                                                             .at_most(kLargestFloat)
                                                             .doc("Factor on the rate.")});
  return table;
}

std::vector<double> ExponentialLR::get_lr() {
  return is_initial() ? present_lrs() : scaled_lrs(options_.gamma);
}

std::vector<double> ExponentialLR::closed_form_lr() {
  std::vector<double> rates = base_lrs();
  for (double& rate : rates) rate *= std::pow(options_.gamma, last_epoch());
  return rates;
}

}  // namespace grapnel
