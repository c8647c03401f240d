// Half a cosine from the base rate down to eta_min within T_max steps, and up again
// (torch.optim.lr_scheduler.CosineAnnealingLR; Loshchilov and Hutter, "SGDR", 2017).
#pragma once

#include <memory>

#include "grapnel/base/options_table.h"
#include "grapnel/lr_schedulers/scheduled_lr.h"

namespace grapnel {

struct CosineAnnealingLROptions {
  int64_t T_max = 0;
  double eta_min = 0.0;
};

class GRAPNEL_CORE_API CosineAnnealingLR : public ScheduledLR {
 public:
  // Throws ConfigError unless T_max >= 1.
  CosineAnnealingLR(std::shared_ptr<Optimizer> optimizer, int64_t T_max,
                    double eta_min = CosineAnnealingLROptions().eta_min);
  CosineAnnealingLR(std::shared_ptr<Optimizer> optimizer, const CosineAnnealingLROptions& options);

  static const OptionsTable<CosineAnnealingLROptions>& options_table();

 protected:
  std::vector<double> get_lr() override;
  std::vector<double> closed_form_lr() override;

 private:
  CosineAnnealingLROptions options_;
};

}  // namespace grapnel
