#include "grapnel/lr_schedulers/one_cycle_lr.h"

#include <cmath>
#include <limits>
#include <numbers>

#include "lr_schedulers/cycled_momentum.h"
#include "values/float_limits.h"

namespace grapnel {

namespace {

int64_t total_steps_of(const OneCycleLROptions& options) {
  OneCycleLR::options_table().check(options);
  if (options.total_steps) return *options.total_steps;
  if (!options.epochs || !options.steps_per_epoch) {
    throw ConfigError({}, "OneCycleLR: give total_steps, or epochs and steps_per_epoch");
  }
  if (*options.epochs > std::numeric_limits<int64_t>::max() / *options.steps_per_epoch) {
    throw ConfigError::of("epochs", "OneCycleLR: {} epochs of {} steps are too many to count",
                          *options.epochs, *options.steps_per_epoch);
  }
  return *options.epochs * *options.steps_per_epoch;
}

double anneal(AnnealStrategy strategy, double start, double end, double share) {
  if (strategy == AnnealStrategy::linear) return (end - start) * share + start;
  return end + (start - end) / 2.0 * (std::cos(std::numbers::pi * share) + 1);
}

}  // namespace

OneCycleLR::OneCycleLR(std::shared_ptr<Optimizer> optimizer_of_it, OneCycleLROptions options)
    : ScheduledLR(std::move(optimizer_of_it)),
      total_steps_(total_steps_of(options)),
      strategy_(options.anneal_strategy),
      cycle_momentum_(options.cycle_momentum) {
  const double last = static_cast<double>(total_steps_ - 1);
  const double rise = options.pct_start * static_cast<double>(total_steps_);
  phases_ = {{rise - 1, "initial_lr", "max_lr", "max_momentum", "base_momentum"}};
  if (options.three_phase) {
    phases_.push_back({2 * rise - 2, "max_lr", "initial_lr", "base_momentum", "max_momentum"});
    phases_.push_back({last, "initial_lr", "min_lr", "max_momentum", "max_momentum"});
  } else {
    phases_.push_back({last, "max_lr", "min_lr", "base_momentum", "max_momentum"});
  }

  const std::vector<double> max_lrs = per_group(optimizer(), options.max_lr, "max_lr");
  if (cycle_momentum_) {
    start_momentum_cycle(optimizer(), "OneCycleLR", options.base_momentum, options.max_momentum);
  }
  for (size_t i = 0; i < max_lrs.size(); ++i) {
    GroupOptions& group = optimizer().groups()[i].options;
    group["initial_lr"] = max_lrs[i] / options.div_factor;
    group["max_lr"] = max_lrs[i];
    group["min_lr"] = group["initial_lr"] / options.final_div_factor;
  }
  initial_step();
}

const OptionsTable<OneCycleLROptions>& OneCycleLR::options_table() {
  using O = OneCycleLROptions;
  static const OptionsTable<OneCycleLROptions> table(
      "OneCycleLR", "Up to the highest rate, then down far below the first.",
      {option<OneOrMore>("max_lr", &O::max_lr)
           .required()
           .above(0)
           .at_most(kLargestFloat)
           .doc("The highest rate."),
       option("total_steps", &O::total_steps).at_least(1).unit("steps").doc("Length of the cycle."),
       option("epochs", &O::epochs).at_least(1).doc("Length in epochs, with steps_per_epoch."),
       option("steps_per_epoch", &O::steps_per_epoch).at_least(1).doc("Steps of an epoch."),
       option("pct_start", &O::pct_start)
           .at_least(0)
           .at_most(1)
           .doc("Share in which the rate rises."),
       option("anneal_strategy", &O::anneal_strategy).doc("Shape of the way."),
       option("cycle_momentum", &O::cycle_momentum).doc("Move the momentum against the rate."),
       option<OneOrMore>("base_momentum", &O::base_momentum)
           .at_least(0)
           .at_most(1)
           .doc("The lowest momentum."),
       option<OneOrMore>("max_momentum", &O::max_momentum)
           .at_least(0)
           .at_most(1)
           .doc("The highest momentum."),
       option("div_factor", &O::div_factor)
           .above(0)
           .at_most(kLargestFloat)
           .doc("The highest rate over the first one."),
       option("final_div_factor", &O::final_div_factor)
           .above(0)
           .at_most(kLargestFloat)
           .doc("The first rate over the last one."),
       option("three_phase", &O::three_phase).doc("Down to the first rate as fast as up.")});
  return table;
}

std::vector<double> OneCycleLR::get_lr() {
  const int64_t step = last_epoch();
  if (step > total_steps_) {
    throw ConfigError::of("",
                          "OneCycleLR: step {} is past the cycle of {} steps; give it the number "
                          "of steps that the training takes",
                          step, total_steps_);
  }
  size_t i = 0;
  double start = 0.0;
  while (i + 1 < phases_.size() && static_cast<double>(step) > phases_[i].end_step) {
    start = phases_[i++].end_step;
  }
  const Phase& phase = phases_[i];
  const double length = phase.end_step - start;
  // A phase without length is at its end.
  const double share = length == 0.0 ? 1.0 : (static_cast<double>(step) - start) / length;

  std::vector<double> rates;
  for (ParamGroup& group : optimizer().groups()) {
    GroupOptions& options = group.options;
    if (!options.contains("max_lr")) {  // came after the cycle began
      rates.push_back(options.at("lr"));
      continue;
    }
    rates.push_back(anneal(strategy_, options.at(phase.start_lr), options.at(phase.end_lr), share));
    if (cycle_momentum_) {
      write_momentum(options, anneal(strategy_, options.at(phase.start_momentum),
                                     options.at(phase.end_momentum), share));
    }
  }
  return rates;
}

}  // namespace grapnel
