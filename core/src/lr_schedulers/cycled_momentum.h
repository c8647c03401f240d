// Momentum that goes against the learning rate, for OneCycleLR and CyclicLR: in the option
// "momentum", or "beta1" of optimizers like Adam.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "grapnel/optimizer.h"

namespace grapnel {

using GroupOptions = std::map<std::string, double, std::less<>>;

// Writes each group's momentum, and keeps the range as its options "base_momentum" and
// "max_momentum". Throws ConfigError naming the scheduler when the optimizer has no momentum.
void start_momentum_cycle(Optimizer& optimizer, const char* scheduler,
                          const std::vector<double>& base_momentum,
                          const std::vector<double>& max_momentum);

void write_momentum(GroupOptions& options, double momentum);

}  // namespace grapnel
