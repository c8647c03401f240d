#include "grapnel/lr_schedulers/swa_lr.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "lr_schedulers/checks.h"

namespace grapnel {

SWALR::SWALR(std::shared_ptr<Optimizer> optimizer, double swa_lr, int64_t anneal_epochs,
             AnnealStrategy anneal_strategy)
    : SWALR(std::move(optimizer), std::vector<double>{swa_lr}, anneal_epochs, anneal_strategy) {}

SWALR::SWALR(std::shared_ptr<Optimizer> optimizer_of_it, std::vector<double> swa_lr,
             int64_t anneal_epochs, AnnealStrategy anneal_strategy)
    : ScheduledLR(std::move(optimizer_of_it)),
      anneal_epochs_(anneal_epochs),
      strategy_(anneal_strategy) {
  check_argument(anneal_epochs >= 0, "SWALR", "anneal_epochs", "at least 0", anneal_epochs);
  const std::vector<double> rates = per_group(optimizer(), std::move(swa_lr), "swa_lr");
  for (size_t i = 0; i < rates.size(); ++i) {
    optimizer().groups()[i].options["swa_lr"] = rates[i];
  }
  initial_step();
}

double SWALR::alpha(double t) const {
  return strategy_ == AnnealStrategy::linear ? t : (1 - std::cos(std::numbers::pi * t)) / 2;
}

std::vector<double> SWALR::get_lr() {
  int64_t step = step_count() - 1;
  if (anneal_epochs_ == 0) step = std::max<int64_t>(1, step);
  const double length = static_cast<double>(std::max<int64_t>(1, anneal_epochs_));
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
