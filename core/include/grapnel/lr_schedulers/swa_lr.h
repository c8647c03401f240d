// Moves the rate to swa_lr within anneal_epochs steps and keeps it there, for averaging weights
// (torch.optim.swa_utils.SWALR; Izmailov et al., "Averaging Weights Leads to Wider Optima", 2018).
#pragma once

#include <memory>
#include <vector>

#include "grapnel/lr_schedulers/annealing.h"
#include "grapnel/lr_schedulers/scheduled_lr.h"

namespace grapnel {

class GRAPNEL_CORE_API SWALR : public ScheduledLR {
 public:
  // swa_lr: one for all groups, or one each; kept as the groups' option "swa_lr". Throws
  // ConfigError for another number of them or anneal_epochs < 0.
  SWALR(std::shared_ptr<Optimizer> optimizer, std::vector<double> swa_lr,
        int64_t anneal_epochs = 10, AnnealStrategy anneal_strategy = AnnealStrategy::cos);
  SWALR(std::shared_ptr<Optimizer> optimizer, double swa_lr, int64_t anneal_epochs = 10,
        AnnealStrategy anneal_strategy = AnnealStrategy::cos);

 protected:
  std::vector<double> get_lr() override;

 private:
  double alpha(double t) const;
  int64_t anneal_epochs_;
  AnnealStrategy strategy_;
};

}  // namespace grapnel
