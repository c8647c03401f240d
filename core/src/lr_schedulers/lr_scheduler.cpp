#include "grapnel/lr_scheduler.h"

#include "grapnel/base/error.h"

namespace grapnel {

LRScheduler::LRScheduler(std::shared_ptr<Optimizer> optimizer) : optimizer_(std::move(optimizer)) {
  if (optimizer_ == nullptr) throw ConfigError({}, "a learning-rate scheduler needs an optimizer");
}

LRScheduler::~LRScheduler() = default;

std::vector<double> LRScheduler::last_lr() const {
  std::vector<double> rates;
  for (const ParamGroup& group : optimizer_->groups()) rates.push_back(group.options.at("lr"));
  return rates;
}

}  // namespace grapnel
