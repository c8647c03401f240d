// Half a cosine from the base rate down to eta_min, then the same again from the base rate: the
// first within T_0 steps, each later one within T_mult times the steps of the one before
// (torch.optim.lr_scheduler.CosineAnnealingWarmRestarts; Loshchilov and Hutter, "SGDR", 2017).
#pragma once

#include <memory>
#include <optional>

#include "grapnel/base/options_table.h"
#include "grapnel/lr_schedulers/scheduled_lr.h"

namespace grapnel {

struct CosineAnnealingWarmRestartsOptions {
  int64_t T_0 = 0;
  int64_t T_mult = 1;
  double eta_min = 0.0;
};

class GRAPNEL_CORE_API CosineAnnealingWarmRestarts : public ScheduledLR {
 public:
  // Throws ConfigError unless T_0 >= 1 and T_mult >= 1.
  CosineAnnealingWarmRestarts(std::shared_ptr<Optimizer> optimizer, int64_t T_0,
                              int64_t T_mult = CosineAnnealingWarmRestartsOptions().T_mult,
                              double eta_min = CosineAnnealingWarmRestartsOptions().eta_min);
  CosineAnnealingWarmRestarts(std::shared_ptr<Optimizer> optimizer,
                              const CosineAnnealingWarmRestartsOptions& options);

  static const OptionsTable<CosineAnnealingWarmRestartsOptions>& options_table();

  void step(std::optional<double> metric = {}) override;
  StateDict state_dict() const override;
  void load_state_dict(const StateDict& state) override;

 protected:
  void initial_step() override;
  std::vector<double> get_lr() override;

 private:
  CosineAnnealingWarmRestartsOptions options_;
  int64_t T_i_;        // steps of the present cosine
  int64_t T_cur_ = 0;  // steps since it began
};

}  // namespace grapnel
