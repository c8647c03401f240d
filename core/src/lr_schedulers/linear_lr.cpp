#include "grapnel/lr_schedulers/linear_lr.h"

#include <algorithm>

namespace grapnel {

LinearLR::LinearLR(std::shared_ptr<Optimizer> optimizer, double start_factor, double end_factor,
                   int64_t total_iters)
    : LinearLR(std::move(optimizer), LinearLROptions{start_factor, end_factor, total_iters}) {}

LinearLR::LinearLR(std::shared_ptr<Optimizer> optimizer, const LinearLROptions& options)
    : ScheduledLR(std::move(optimizer)), options_(options) {
  options_table().check(options_);
  initial_step();
}

const OptionsTable<LinearLROptions>& LinearLR::options_table() {
  using O = LinearLROptions;
  static const OptionsTable<LinearLROptions> table(
      "LinearLR", "Changes the rate's factor linearly: a warm-up.",
      {option("start_factor", &O::start_factor).above(0).at_most(1).doc("The first factor."),
       option("end_factor", &O::end_factor).at_least(0).at_most(1).doc("The last factor."),
       option("total_iters", &O::total_iters)
           .at_least(1)
           .unit("steps")
           .doc("Steps until the end.")});
  return table;
}

std::vector<double> LinearLR::get_lr() {
  if (last_epoch() == 0) return scaled_lrs(options_.start_factor);
  if (is_initial() || last_epoch() > options_.total_iters) return present_lrs();
  const double rise = options_.end_factor - options_.start_factor;
  return scaled_lrs(1.0 +
                    rise / (static_cast<double>(options_.total_iters) * options_.start_factor +
                            static_cast<double>(last_epoch() - 1) * rise));
}

std::vector<double> LinearLR::closed_form_lr() {
  const double done = static_cast<double>(std::min(options_.total_iters, last_epoch()));
  std::vector<double> rates = base_lrs();
  for (double& rate : rates) {
    rate *= options_.start_factor + (options_.end_factor - options_.start_factor) * done /
                                        static_cast<double>(options_.total_iters);
  }
  return rates;
}

}  // namespace grapnel
