#include "grapnel/lr_schedulers/cosine_annealing_warm_restarts.h"

#include <cmath>
#include <limits>
#include <numbers>

#include "lr_schedulers/count_in_state.h"
#include "values/float_limits.h"

namespace grapnel {

CosineAnnealingWarmRestarts::CosineAnnealingWarmRestarts(std::shared_ptr<Optimizer> optimizer,
                                                         int64_t T_0, int64_t T_mult,
                                                         double eta_min)
    : CosineAnnealingWarmRestarts(std::move(optimizer),
                                  CosineAnnealingWarmRestartsOptions{T_0, T_mult, eta_min}) {}

CosineAnnealingWarmRestarts::CosineAnnealingWarmRestarts(
    std::shared_ptr<Optimizer> optimizer, const CosineAnnealingWarmRestartsOptions& options)
    : ScheduledLR(std::move(optimizer)), options_(options), T_i_(options.T_0) {
  options_table().check(options_);
  initial_step();
}

const OptionsTable<CosineAnnealingWarmRestartsOptions>&
CosineAnnealingWarmRestarts::options_table() {
  using O = CosineAnnealingWarmRestartsOptions;
  static const OptionsTable<CosineAnnealingWarmRestartsOptions> table(
      "CosineAnnealingWarmRestarts", "Lowers the rate along half a cosine, again and again.",
      {option("T_0", &O::T_0)
           .required()
           .at_least(1)
           .unit("steps")
           .doc("Steps of the first cosine."),
       option("T_mult", &O::T_mult).at_least(1).doc("How much longer each next one is."),
       option("eta_min", &O::eta_min).at_least(0).at_most(kLargestFloat).doc("The lowest rate.")});
  return table;
}

void CosineAnnealingWarmRestarts::initial_step() {
  base_lrs();
  T_i_ = options_.T_0;
  T_cur_ = 0;
  step_to(0);
}

void CosineAnnealingWarmRestarts::step(std::optional<double> /*metric*/) {
  if (++T_cur_ >= T_i_) {
    T_cur_ %= T_i_;
    constexpr int64_t kForever = std::numeric_limits<int64_t>::max();
    T_i_ = T_i_ > kForever / options_.T_mult ? kForever : T_i_ * options_.T_mult;
  }
  step_to(last_epoch() + 1);
}

std::vector<double> CosineAnnealingWarmRestarts::get_lr() {
  const double height =
      1 + std::cos(std::numbers::pi * static_cast<double>(T_cur_) / static_cast<double>(T_i_));
  std::vector<double> rates = base_lrs();
  for (double& rate : rates) rate = options_.eta_min + (rate - options_.eta_min) * height / 2;
  return rates;
}

StateDict CosineAnnealingWarmRestarts::state_dict() const {
  StateDict state = ScheduledLR::state_dict();
  state["T_i"] = T_i_;
  state["T_cur"] = T_cur_;
  return state;
}

void CosineAnnealingWarmRestarts::load_state_dict(const StateDict& state) {
  const int64_t T_i = count_in(state, "T_i", type_name(), 1);
  const int64_t T_cur = count_in(state, "T_cur", type_name(), -1);
  ScheduledLR::load_state_dict(state);
  T_i_ = T_i;
  T_cur_ = T_cur;
}

}  // namespace grapnel
