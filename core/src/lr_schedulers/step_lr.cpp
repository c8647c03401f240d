#include "grapnel/lr_schedulers/step_lr.h"

#include <cmath>

#include "values/float_limits.h"

namespace grapnel {

StepLR::StepLR(std::shared_ptr<Optimizer> optimizer, int64_t step_size, double gamma)
    : StepLR(std::move(optimizer), StepLROptions{step_size, gamma}) {}

StepLR::StepLR(std::shared_ptr<Optimizer> optimizer, const StepLROptions& options)
    : ScheduledLR(std::move(optimizer)), options_(options) {
  options_table().check(options_);
  initial_step();
}

const OptionsTable<StepLROptions>& StepLR::options_table() {
  using O = StepLROptions;
  static const OptionsTable<StepLROptions> table(
      "StepLR", "Multiplies the rate every few steps.",
      {option("step_size", &O::step_size)
           .required()
           .at_least(1)
           .unit("steps")
           .doc("Scheduler steps between two reductions."),
       option("gamma", &O::gamma).at_least(0).at_most(kLargestFloat).doc("Factor on the rate.")});
  return table;
}

std::vector<double> StepLR::get_lr() {
  if (last_epoch() == 0 || last_epoch() % options_.step_size != 0) return present_lrs();
  return scaled_lrs(options_.gamma);
}

std::vector<double> StepLR::closed_form_lr() {
  std::vector<double> rates = base_lrs();
  const double factor = std::pow(options_.gamma, last_epoch() / options_.step_size);
  for (double& rate : rates) rate *= factor;
  return rates;
}

}  // namespace grapnel
