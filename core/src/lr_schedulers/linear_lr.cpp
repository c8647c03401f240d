#include "grapnel/lr_schedulers/linear_lr.h"

#include <algorithm>

#include "lr_schedulers/checks.h"

namespace grapnel {

LinearLR::LinearLR(std::shared_ptr<Optimizer> optimizer, double start_factor, double end_factor,
                   int64_t total_iters)
    : ScheduledLR(std::move(optimizer)),
      start_factor_(start_factor),
      end_factor_(end_factor),
      total_iters_(total_iters) {
  check_argument(start_factor > 0.0 && start_factor <= 1.0, "LinearLR", "start_factor",
                 "above 0 and at most 1", start_factor);
  check_argument(end_factor >= 0.0 && end_factor <= 1.0, "LinearLR", "end_factor",
                 "at least 0 and at most 1", end_factor);
  check_argument(total_iters >= 1, "LinearLR", "total_iters", "at least 1", total_iters);
  initial_step();
}

std::vector<double> LinearLR::get_lr() {
  if (last_epoch() == 0) return scaled_lrs(start_factor_);
  if (is_initial() || last_epoch() > total_iters_) return present_lrs();
  const double rise = end_factor_ - start_factor_;
  return scaled_lrs(1.0 + rise / (static_cast<double>(total_iters_) * start_factor_ +
                                  static_cast<double>(last_epoch() - 1) * rise));
}

std::vector<double> LinearLR::closed_form_lr() {
  const double done = static_cast<double>(std::min(total_iters_, last_epoch()));
  std::vector<double> rates = base_lrs();
  for (double& rate : rates) {
    rate *=
        start_factor_ + (end_factor_ - start_factor_) * done / static_cast<double>(total_iters_);
  }
  return rates;
}

}  // namespace grapnel
