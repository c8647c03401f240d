#include "grapnel/lr_schedulers/constant_lr.h"

namespace grapnel {

ConstantLR::ConstantLR(std::shared_ptr<Optimizer> optimizer, double factor, int64_t total_iters)
    : ConstantLR(std::move(optimizer), ConstantLROptions{factor, total_iters}) {}

ConstantLR::ConstantLR(std::shared_ptr<Optimizer> optimizer, const ConstantLROptions& options)
    : ScheduledLR(std::move(optimizer)), options_(options) {
  options_table().check(options_);
  initial_step();
}

const OptionsTable<ConstantLROptions>& ConstantLR::options_table() {
  using O = ConstantLROptions;
  static const OptionsTable<ConstantLROptions> table(
      "ConstantLR", "Multiplies the rate by a factor for the first steps.",
      {option("factor", &O::factor).above(0).at_most(1).doc("Factor on the rate."),
       option("total_iters", &O::total_iters)
           .at_least(0)
           .unit("steps")
           .doc("Steps until the factor is taken back.")});
  return table;
}

std::vector<double> ConstantLR::get_lr() {
  if (last_epoch() == 0) return scaled_lrs(options_.factor);
  if (last_epoch() != options_.total_iters) return present_lrs();
  return scaled_lrs(1.0 / options_.factor);
}

std::vector<double> ConstantLR::closed_form_lr() {
  std::vector<double> rates = base_lrs();
  for (double& rate : rates) {
    rate *= options_.factor + (last_epoch() >= options_.total_iters ? 1.0 - options_.factor : 0.0);
  }
  return rates;
}

}  // namespace grapnel
