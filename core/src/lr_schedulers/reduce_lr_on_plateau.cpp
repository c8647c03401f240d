#include "grapnel/lr_schedulers/reduce_lr_on_plateau.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "grapnel/base/error.h"
#include "grapnel/lr_schedulers/scheduled_lr.h"
#include "lr_schedulers/count_in_state.h"
#include "values/float_limits.h"

namespace grapnel {

using Options = ReduceLROnPlateauOptions;

template <>
inline constexpr auto enum_names<Options::Mode> = std::to_array<EnumName<Options::Mode>>(
    {{Options::Mode::min, "min"}, {Options::Mode::max, "max"}});
template <>
inline constexpr auto enum_names<Options::ThresholdMode> =
    std::to_array<EnumName<Options::ThresholdMode>>({{Options::ThresholdMode::rel, "rel"},
                                                     {Options::ThresholdMode::abs, "abs"}});

ReduceLROnPlateau::ReduceLROnPlateau(std::shared_ptr<Optimizer> optimizer_of_it,
                                     ReduceLROnPlateauOptions options)
    : LRScheduler(std::move(optimizer_of_it)), options_(std::move(options)) {
  options_table().check(options_);
  per_group(optimizer(), options_.min_lr, "min_lr");
  const double infinity = std::numeric_limits<double>::infinity();
  best_ = options_.mode == Options::Mode::min ? infinity : -infinity;
}

const OptionsTable<ReduceLROnPlateauOptions>& ReduceLROnPlateau::options_table() {
  using O = ReduceLROnPlateauOptions;
  static const OptionsTable<ReduceLROnPlateauOptions> table(
      "ReduceLROnPlateau", "Lowers the rate when a metric stops improving.",
      {option("mode", &O::mode).doc("Which direction is better."),
       option("factor", &O::factor).at_least(0).below(1).doc("Factor on the rate."),
       option("patience", &O::patience).at_least(0).unit("steps").doc("Steps without improvement."),
       option("threshold", &O::threshold)
           .at_least(0)
           .at_most(kLargestFloat)
           .doc("Smallest change that is an improvement."),
       option("threshold_mode", &O::threshold_mode)
           .doc("Threshold as a share of the best value, or as an amount."),
       option("cooldown", &O::cooldown)
           .at_least(0)
           .unit("steps")
           .doc("Steps to wait after a reduction."),
       option<OneOrMore>("min_lr", &O::min_lr)
           .at_least(0)
           .at_most(kLargestFloat)
           .doc("The lowest rate."),
       option("eps", &O::eps)
           .at_least(0)
           .at_most(kLargestFloat)
           .doc("Smaller reductions are left out.")});
  return table;
}

bool ReduceLROnPlateau::is_better(double value) const {
  const bool relative = options_.threshold_mode == Options::ThresholdMode::rel;
  if (options_.mode == Options::Mode::min) {
    return value < (relative ? best_ * (1.0 - options_.threshold) : best_ - options_.threshold);
  }
  return value > (relative ? best_ * (options_.threshold + 1.0) : best_ + options_.threshold);
}

void ReduceLROnPlateau::step(std::optional<double> metric) {
  if (!metric) {
    throw ConfigError({},
                      "ReduceLROnPlateau needs a metric at each step; set `monitor` to the "
                      "name of one");
  }
  ++last_epoch_;
  if (is_better(*metric)) {
    best_ = *metric;
    num_bad_epochs_ = 0;
  } else {
    ++num_bad_epochs_;
  }
  if (cooldown_counter_ > 0) {
    --cooldown_counter_;
    num_bad_epochs_ = 0;
  }
  if (num_bad_epochs_ > options_.patience) {
    reduce();
    cooldown_counter_ = options_.cooldown;
    num_bad_epochs_ = 0;
  }
}

void ReduceLROnPlateau::reduce() {
  const std::vector<double> lowest = per_group(optimizer(), options_.min_lr, "min_lr");
  for (size_t i = 0; i < lowest.size(); ++i) {
    double& rate = optimizer().groups()[i].options.at("lr");
    const double reduced = std::max(rate * options_.factor, lowest[i]);
    if (rate - reduced > options_.eps) rate = reduced;
  }
}

StateDict ReduceLROnPlateau::state_dict() const {
  return {{"type", type_name()},
          {"last_epoch", last_epoch_},
          {"best", best_},
          {"num_bad_epochs", num_bad_epochs_},
          {"cooldown_counter", cooldown_counter_}};
}

void ReduceLROnPlateau::load_state_dict(const StateDict& state) {
  if (state.at("type").to_string() != type_name()) {
    throw CheckpointError({}, fmt::format("the state of {} was written by {}", type_name(),
                                          state.at("type").to_string()));
  }
  const int64_t last_epoch = count_in(state, "last_epoch", type_name());
  const double best = state.at("best").to_double();
  const int64_t num_bad_epochs = count_in(state, "num_bad_epochs", type_name());
  cooldown_counter_ = count_in(state, "cooldown_counter", type_name());
  last_epoch_ = last_epoch;
  best_ = best;
  num_bad_epochs_ = num_bad_epochs;
}

}  // namespace grapnel
