// Multiplies the rate by a factor until total_iters steps are done, then takes it back
// (torch.optim.lr_scheduler.ConstantLR).
#pragma once

#include <memory>

#include "grapnel/base/options_table.h"
#include "grapnel/lr_schedulers/scheduled_lr.h"

namespace grapnel {

struct ConstantLROptions {
  double factor = 1.0 / 3;
  int64_t total_iters = 5;
};

class GRAPNEL_CORE_API ConstantLR : public ScheduledLR {
 public:
  // Throws ConfigError unless 0 < factor <= 1. (PyTorch takes 0 too, and divides by it later.)
  explicit ConstantLR(std::shared_ptr<Optimizer> optimizer,
                      double factor = ConstantLROptions().factor,
                      int64_t total_iters = ConstantLROptions().total_iters);
  ConstantLR(std::shared_ptr<Optimizer> optimizer, const ConstantLROptions& options);

  static const OptionsTable<ConstantLROptions>& options_table();

 protected:
  std::vector<double> get_lr() override;
  std::vector<double> closed_form_lr() override;

 private:
  ConstantLROptions options_;
};

}  // namespace grapnel
