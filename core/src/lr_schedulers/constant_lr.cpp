#include "grapnel/lr_schedulers/constant_lr.h"

#include "lr_schedulers/checks.h"

namespace grapnel {

ConstantLR::ConstantLR(std::shared_ptr<Optimizer> optimizer, double factor, int64_t total_iters)
    : ScheduledLR(std::move(optimizer)), factor_(factor), total_iters_(total_iters) {
  check_argument(factor > 0.0 && factor <= 1.0, "ConstantLR", "factor", "above 0 and at most 1",
                 factor);
  initial_step();
}

std::vector<double> ConstantLR::get_lr() {
  if (last_epoch() == 0) return scaled_lrs(factor_);
  if (last_epoch() != total_iters_) return present_lrs();
  return scaled_lrs(1.0 / factor_);
}

std::vector<double> ConstantLR::closed_form_lr() {
  std::vector<double> rates = base_lrs();
  for (double& rate : rates) {
    rate *= factor_ + (last_epoch() >= total_iters_ ? 1.0 - factor_ : 0.0);
  }
  return rates;
}

}  // namespace grapnel
