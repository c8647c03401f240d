// Moves the rate to swa_lr within anneal_epochs steps and keeps it there, for averaging weights
// (torch.optim.swa_utils.SWALR; Izmailov et al., "Averaging Weights Leads to Wider Optima", 2018).
#pragma once

#include <memory>
#include <vector>

#include "grapnel/base/options_table.h"
#include "grapnel/lr_schedulers/annealing.h"
#include "grapnel/lr_schedulers/scheduled_lr.h"

namespace grapnel {

struct SWALROptions {
  std::vector<double> swa_lr = {};  // one for all groups, or one each; their option "swa_lr"
  int64_t anneal_epochs = 10;
  AnnealStrategy anneal_strategy = AnnealStrategy::cos;
};

class GRAPNEL_CORE_API SWALR : public ScheduledLR {
 public:
  // Throws ConfigError for an option out of range, or another number of rates than groups.
  SWALR(std::shared_ptr<Optimizer> optimizer, const SWALROptions& options);
  SWALR(std::shared_ptr<Optimizer> optimizer, std::vector<double> swa_lr,
        int64_t anneal_epochs = SWALROptions().anneal_epochs,
        AnnealStrategy anneal_strategy = SWALROptions().anneal_strategy);
  SWALR(std::shared_ptr<Optimizer> optimizer, double swa_lr,
        int64_t anneal_epochs = SWALROptions().anneal_epochs,
        AnnealStrategy anneal_strategy = SWALROptions().anneal_strategy);

  static const OptionsTable<SWALROptions>& options_table();

 protected:
  std::vector<double> get_lr() override;

 private:
  double alpha(double t) const;
  SWALROptions options_;
};

}  // namespace grapnel
