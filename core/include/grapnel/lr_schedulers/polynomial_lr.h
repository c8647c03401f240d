// Lowers the rate to 0 within total_iters steps: base * (1 - t / total_iters)^power
// (torch.optim.lr_scheduler.PolynomialLR).
#pragma once

#include <memory>

#include "grapnel/base/options_table.h"
#include "grapnel/lr_schedulers/scheduled_lr.h"

namespace grapnel {

struct PolynomialLROptions {
  int64_t total_iters = 5;
  double power = 1.0;
};

class GRAPNEL_CORE_API PolynomialLR : public ScheduledLR {
 public:
  // Throws ConfigError unless total_iters >= 1.
  explicit PolynomialLR(std::shared_ptr<Optimizer> optimizer,
                        int64_t total_iters = PolynomialLROptions().total_iters,
                        double power = PolynomialLROptions().power);
  PolynomialLR(std::shared_ptr<Optimizer> optimizer, const PolynomialLROptions& options);

  static const OptionsTable<PolynomialLROptions>& options_table();

 protected:
  std::vector<double> get_lr() override;
  std::vector<double> closed_form_lr() override;

 private:
  PolynomialLROptions options_;
};

}  // namespace grapnel
