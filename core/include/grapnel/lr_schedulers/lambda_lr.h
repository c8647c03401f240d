// Rates by a function of the count of steps: LambdaLR gives the factor on the base rate,
// MultiplicativeLR the factor on the present one (torch.optim.lr_scheduler.LambdaLR,
// MultiplicativeLR). What the functions remember is not part of the state.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "grapnel/lr_schedulers/scheduled_lr.h"

namespace grapnel {

using LRLambda = std::function<double(int64_t epoch)>;

class GRAPNEL_CORE_API LambdaLR : public ScheduledLR {
 public:
  // One function for all groups, or one each; ConfigError for another number of them or an empty
  // one.
  LambdaLR(std::shared_ptr<Optimizer> optimizer, LRLambda lr_lambda);
  LambdaLR(std::shared_ptr<Optimizer> optimizer, std::vector<LRLambda> lr_lambdas);

 protected:
  std::vector<double> get_lr() override;

 private:
  std::vector<LRLambda> lr_lambdas_;
};

class GRAPNEL_CORE_API MultiplicativeLR : public ScheduledLR {
 public:
  MultiplicativeLR(std::shared_ptr<Optimizer> optimizer, LRLambda lr_lambda);
  MultiplicativeLR(std::shared_ptr<Optimizer> optimizer, std::vector<LRLambda> lr_lambdas);

 protected:
  std::vector<double> get_lr() override;

 private:
  std::vector<LRLambda> lr_lambdas_;
};

}  // namespace grapnel
