#include "grapnel/lr_schedulers/multi_step_lr.h"

#include <algorithm>
#include <cmath>

#include "values/float_limits.h"

namespace grapnel {

MultiStepLR::MultiStepLR(std::shared_ptr<Optimizer> optimizer, std::vector<int64_t> milestones,
                         double gamma)
    : MultiStepLR(std::move(optimizer), MultiStepLROptions{std::move(milestones), gamma}) {}

MultiStepLR::MultiStepLR(std::shared_ptr<Optimizer> optimizer, const MultiStepLROptions& options)
    : ScheduledLR(std::move(optimizer)), options_(options) {
  options_table().check(options_);
  std::sort(options_.milestones.begin(), options_.milestones.end());
  initial_step();
}

const OptionsTable<MultiStepLROptions>& MultiStepLR::options_table() {
  using O = MultiStepLROptions;
  static const OptionsTable<MultiStepLROptions> table(
      "MultiStepLR", "Multiplies the rate at milestones.",
      {option("milestones", &O::milestones)
           .required()
           .at_least(0)
           .unit("steps")
           .doc("When to multiply."),
       option("gamma", &O::gamma).at_least(0).at_most(kLargestFloat).doc("Factor on the rate.")});
  return table;
}

std::vector<double> MultiStepLR::get_lr() {
  const auto [first, last] =
      std::equal_range(options_.milestones.begin(), options_.milestones.end(), last_epoch());
  if (first == last) return present_lrs();
  return scaled_lrs(std::pow(options_.gamma, last - first));
}

std::vector<double> MultiStepLR::closed_form_lr() {
  const auto passed =
      std::upper_bound(options_.milestones.begin(), options_.milestones.end(), last_epoch()) -
      options_.milestones.begin();
  std::vector<double> rates = base_lrs();
  for (double& rate : rates) rate *= std::pow(options_.gamma, passed);
  return rates;
}

}  // namespace grapnel
