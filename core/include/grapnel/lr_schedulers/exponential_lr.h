// Multiplies the rate by gamma at every step (torch.optim.lr_scheduler.ExponentialLR).
#pragma once

#include <memory>

#include "grapnel/base/options_table.h"
#include "grapnel/lr_schedulers/scheduled_lr.h"

namespace grapnel {

struct ExponentialLROptions {
  double gamma = 0.0;
};

class GRAPNEL_CORE_API ExponentialLR : public ScheduledLR {
 public:
  ExponentialLR(std::shared_ptr<Optimizer> optimizer, double gamma);
  ExponentialLR(std::shared_ptr<Optimizer> optimizer, const ExponentialLROptions& options);

  static const OptionsTable<ExponentialLROptions>& options_table();

 protected:
  std::vector<double> get_lr() override;
  std::vector<double> closed_form_lr() override;

 private:
  ExponentialLROptions options_;
};

}  // namespace grapnel
