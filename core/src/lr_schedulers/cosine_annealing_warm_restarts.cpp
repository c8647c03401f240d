#include "grapnel/lr_schedulers/cosine_annealing_warm_restarts.h"

#include <cmath>
#include <numbers>

#include "lr_schedulers/checks.h"

namespace grapnel {

CosineAnnealingWarmRestarts::CosineAnnealingWarmRestarts(std::shared_ptr<Optimizer> optimizer,
                                                         int64_t T_0, int64_t T_mult,
                                                         double eta_min)
    : ScheduledLR(std::move(optimizer)), T_0_(T_0), T_mult_(T_mult), eta_min_(eta_min), T_i_(T_0) {
  check_argument(T_0 >= 1, "CosineAnnealingWarmRestarts", "T_0", "at least 1", T_0);
  check_argument(T_mult >= 1, "CosineAnnealingWarmRestarts", "T_mult", "at least 1", T_mult);
  initial_step();
}

void CosineAnnealingWarmRestarts::initial_step() {
  base_lrs();
  T_i_ = T_0_;
  T_cur_ = 0;
  step_to(0);
}

void CosineAnnealingWarmRestarts::step(std::optional<double> /*metric*/) {
  if (++T_cur_ >= T_i_) {
    T_cur_ %= T_i_;
    T_i_ *= T_mult_;
  }
  step_to(last_epoch() + 1);
}

std::vector<double> CosineAnnealingWarmRestarts::get_lr() {
  const double height =
      1 + std::cos(std::numbers::pi * static_cast<double>(T_cur_) / static_cast<double>(T_i_));
  std::vector<double> rates = base_lrs();
  for (double& rate : rates) rate = eta_min_ + (rate - eta_min_) * height / 2;
  return rates;
}

StateDict CosineAnnealingWarmRestarts::state_dict() const {
  StateDict state = ScheduledLR::state_dict();
  state["T_i"] = T_i_;
  state["T_cur"] = T_cur_;
  return state;
}

void CosineAnnealingWarmRestarts::load_state_dict(const StateDict& state) {
  const int64_t T_i = state.at("T_i").to_int();
  const int64_t T_cur = state.at("T_cur").to_int();
  ScheduledLR::load_state_dict(state);
  T_i_ = T_i;
  T_cur_ = T_cur;
}

}  // namespace grapnel
