#include "grapnel/lr_schedulers/cyclic_lr.h"

#include <cmath>

#include "lr_schedulers/checks.h"
#include "lr_schedulers/cycled_momentum.h"

namespace grapnel {

CyclicLR::CyclicLR(std::shared_ptr<Optimizer> optimizer_of_it, CyclicLROptions options)
    : ScheduledLR(std::move(optimizer_of_it)), options_(std::move(options)) {
  const int64_t up = options_.step_size_up;
  const int64_t down = options_.step_size_down.value_or(up);
  check_argument(up >= 1, "CyclicLR", "step_size_up", "at least 1", up);
  check_argument(down >= 1, "CyclicLR", "step_size_down", "at least 1", down);
  total_size_ = static_cast<double>(up + down);
  step_ratio_ = static_cast<double>(up) / total_size_;
  options_.base_lr = per_group(optimizer(), options_.base_lr, "base_lr");
  options_.max_lr = per_group(optimizer(), options_.max_lr, "max_lr");
  if (options_.cycle_momentum) {
    start_momentum_cycle(optimizer(), "CyclicLR", options_.base_momentum, options_.max_momentum);
  }
  write_lrs(options_.base_lr);
  initial_step();
  set_base_lrs(options_.base_lr);
}

double CyclicLR::scale(double cycle) const {
  const double count = static_cast<double>(last_epoch());
  if (options_.scale_fn) {
    return options_.scale_fn(options_.scale_mode == CyclicScaleMode::cycle ? cycle : count);
  }
  switch (options_.mode) {
    case CyclicMode::triangular:
      return 1.0;
    case CyclicMode::triangular2:
      return 1.0 / std::pow(2.0, cycle - 1);
    case CyclicMode::exp_range:
      return std::pow(options_.gamma, count);
  }
  return 1.0;
}

std::vector<double> CyclicLR::get_lr() {
  const double done = static_cast<double>(last_epoch()) / total_size_;
  const double cycle = std::floor(1 + done);
  const double x = 1.0 + done - cycle;
  const double factor = x <= step_ratio_ ? x / step_ratio_ : (x - 1) / (step_ratio_ - 1);

  const std::vector<double>& bases = base_lrs();
  std::vector<double> rates = present_lrs();
  for (size_t i = 0; i < options_.max_lr.size() && i < rates.size(); ++i) {
    rates[i] = bases[i] + (options_.max_lr[i] - bases[i]) * factor * scale(cycle);
    if (!options_.cycle_momentum) continue;
    GroupOptions& group = optimizer().groups()[i].options;
    const double highest = group.at("max_momentum");
    write_momentum(group, highest - (highest - group.at("base_momentum")) * factor * scale(cycle));
  }
  return rates;
}

}  // namespace grapnel
