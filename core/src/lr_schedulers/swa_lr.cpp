#include "grapnel/lr_schedulers/swa_lr.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "values/float_limits.h"

namespace grapnel {

SWALR::SWALR(std::shared_ptr<Optimizer> optimizer, double swa_lr, int64_t anneal_epochs,
             AnnealStrategy anneal_strategy)
    : SWALR(std::move(optimizer), std::vector<double>{swa_lr}, anneal_epochs, anneal_strategy) {}

SWALR::SWALR(std::shared_ptr<Optimizer> optimizer, std::vector<double> swa_lr,
             int64_t anneal_epochs, AnnealStrategy anneal_strategy)
    : SWALR(std::move(optimizer), SWALROptions{std::move(swa_lr), anneal_epochs, anneal_strategy}) {
}

SWALR::SWALR(std::shared_ptr<Optimizer> optimizer_of_it, const SWALROptions& options)
    : ScheduledLR(std::move(optimizer_of_it)), options_(options) {
  options_table().check(options_);
  const std::vector<double> rates = per_group(optimizer(), options_.swa_lr, "swa_lr");
  for (size_t i = 0; i < rates.size(); ++i) {
    optimizer().groups()[i].options["swa_lr"] = rates[i];
  }
  initial_step();
}

const OptionsTable<SWALROptions>& SWALR::options_table() {
  using O = SWALROptions;
  static const OptionsTable<SWALROptions> table(
      "SWALR", "Moves the rate to a constant one for averaging weights.",
      {option<OneOrMore>("swa_lr", &O::swa_lr)
           .required()
           .at_least(0)
           .at_most(kLargestFloat)
           .doc("The constant rate."),
       option("anneal_epochs", &O::anneal_epochs)
           .at_least(0)
           .unit("steps")
           .doc("Steps until it is there."),
       option("anneal_strategy", &O::anneal_strategy).doc("Shape of the way.")});
  return table;
}

double SWALR::alpha(double t) const {
  return options_.anneal_strategy == AnnealStrategy::linear
             ? t
             : (1 - std::cos(std::numbers::pi * t)) / 2;
}

std::vector<double> SWALR::get_lr() {
  int64_t step = step_count() - 1;
  if (options_.anneal_epochs == 0) step = std::max<int64_t>(1, step);
  const double length = static_cast<double>(std::max<int64_t>(1, options_.anneal_epochs));
  const double before = alpha(std::clamp(static_cast<double>(step - 1) / length, 0.0, 1.0));
  const double now = alpha(std::clamp(static_cast<double>(step) / length, 0.0, 1.0));

  std::vector<double> rates = present_lrs();
  for (size_t i = 0; i < rates.size(); ++i) {
    const auto& options = optimizer().groups()[i].options;
    const auto found = options.find("swa_lr");
    if (found == options.end()) continue;  // came after the annealing began
    const double goal = found->second;
    const double start = before == 1.0 ? goal : (rates[i] - before * goal) / (1 - before);
    rates[i] = goal * now + start * (1 - now);
  }
  return rates;
}

}  // namespace grapnel
