#include "grapnel/lr_scheduler.h"

#include <fmt/format.h>

#include "grapnel/base/error.h"

namespace grapnel {

LRScheduler::~LRScheduler() = default;

std::vector<double> LRScheduler::last_lr() const {
  std::vector<double> rates;
  for (const ParamGroup& group : optimizer_->groups()) rates.push_back(group.options.at("lr"));
  return rates;
}

}  // namespace grapnel
