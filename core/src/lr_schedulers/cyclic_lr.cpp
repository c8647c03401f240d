#include "grapnel/lr_schedulers/cyclic_lr.h"

#include <cmath>

#include "lr_schedulers/cycled_momentum.h"
#include "values/float_limits.h"

namespace grapnel {

template <>
inline constexpr auto enum_names<CyclicMode> =
    std::to_array<EnumName<CyclicMode>>({{CyclicMode::triangular, "triangular"},
                                         {CyclicMode::triangular2, "triangular2"},
                                         {CyclicMode::exp_range, "exp_range"}});

CyclicLR::CyclicLR(std::shared_ptr<Optimizer> optimizer_of_it, CyclicLROptions options)
    : ScheduledLR(std::move(optimizer_of_it)), options_(std::move(options)) {
  options_table().check(options_);
  const int64_t up = options_.step_size_up;
  const int64_t down = options_.step_size_down.value_or(up);
  total_size_ = static_cast<double>(up) + static_cast<double>(down);
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

const OptionsTable<CyclicLROptions>& CyclicLR::options_table() {
  using O = CyclicLROptions;
  static const OptionsTable<CyclicLROptions> table(
      "CyclicLR", "Back and forth between two rates.",
      {option<OneOrMore>("base_lr", &O::base_lr)
           .required()
           .at_least(0)
           .at_most(kLargestFloat)
           .doc("The lowest rate."),
       option<OneOrMore>("max_lr", &O::max_lr)
           .required()
           .at_least(0)
           .at_most(kLargestFloat)
           .doc("The highest rate."),
       option("step_size_up", &O::step_size_up).at_least(1).unit("steps").doc("Steps up."),
       option("step_size_down", &O::step_size_down)
           .at_least(1)
           .unit("steps")
           .doc("Steps down; null: as many as up."),
       option("mode", &O::mode)
           .doc("Height of the cycles: the same, halved each time, gamma^steps."),
       option("gamma", &O::gamma).at_least(0).at_most(kLargestFloat).doc("Base of exp_range."),
       option("cycle_momentum", &O::cycle_momentum).doc("Move the momentum against the rate."),
       option<OneOrMore>("base_momentum", &O::base_momentum)
           .at_least(0)
           .at_most(1)
           .doc("The lowest momentum."),
       option<OneOrMore>("max_momentum", &O::max_momentum)
           .at_least(0)
           .at_most(1)
           .doc("The highest momentum.")});
  return table;
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
