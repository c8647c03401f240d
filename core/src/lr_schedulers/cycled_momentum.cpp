#include "lr_schedulers/cycled_momentum.h"

#include <fmt/format.h>

#include <algorithm>

#include "grapnel/base/error.h"
#include "grapnel/lr_schedulers/scheduled_lr.h"

namespace grapnel {

void start_momentum_cycle(Optimizer& optimizer, const char* scheduler,
                          const std::vector<double>& base_momentum,
                          const std::vector<double>& max_momentum) {
  const std::vector<double> lowest = per_group(optimizer, base_momentum, "base_momentum");
  const std::vector<double> highest = per_group(optimizer, max_momentum, "max_momentum");
  for (const ParamGroup& group : optimizer.groups()) {
    if (group.options.contains("momentum") || group.options.contains("beta1")) continue;
    throw ConfigError::of("", "{}: {} has neither momentum nor beta1; set cycle_momentum to false",
                          scheduler, optimizer.type_name());
  }
  for (size_t i = 0; i < highest.size(); ++i) {
    GroupOptions& options = optimizer.groups()[i].options;
    const double largest = std::max(lowest[i], highest[i]);
    if (options.contains("beta1") && largest >= 1.0) {
      throw ConfigError::of(largest == highest[i] ? "max_momentum" : "base_momentum",
                            "{}: the momentum is beta1 of {}, which must be below 1, found {}",
                            scheduler, optimizer.type_name(), largest);
    }
    write_momentum(options, highest[i]);
    options["base_momentum"] = lowest[i];
    options["max_momentum"] = highest[i];
  }
}

void write_momentum(GroupOptions& options, double momentum) {
  const auto beta1 = options.find("beta1");
  (beta1 != options.end() ? beta1->second : options["momentum"]) = momentum;
}

}  // namespace grapnel
