// The factors of callbacks on learning rates (Callback::learning_rate_factor).
//
// The groups' option "lr" stays the module's and its schedulers': many of these compute the next
// rate from it. The product is in the groups only while the optimizer updates the parameters.
#pragma once

#include <cstddef>
#include <vector>

#include "grapnel/optimizer.h"

namespace grapnel {

class Run;

// The product of all callbacks' factors, in the callbacks' order. Throws ConfigError for a factor
// that is negative or not finite.
double learning_rate_factor(const Run& run, std::size_t optimizer_idx, std::size_t group);
// The rate of the next step: "lr" times the factor; 0 for a group without the option. Throws
// ConfigError when it is too large for float32.
double learning_rate(const Run& run, const Optimizer& optimizer, std::size_t optimizer_idx,
                     std::size_t group);

// Around one step of an optimizer. A rate that was changed meanwhile, by whoever, stays changed.
class FactoredRates {
 public:
  FactoredRates(const Run& run, Optimizer& optimizer, std::size_t optimizer_idx)
      : run_(run), optimizer_(optimizer), optimizer_idx_(optimizer_idx) {}
  ~FactoredRates() { put_back(); }
  FactoredRates(const FactoredRates&) = delete;
  FactoredRates& operator=(const FactoredRates&) = delete;

  // Before the update: at the end of the closure.
  void apply();
  // At the beginning of the closure, which some optimizers call several times: the hooks in it see
  // the groups' own rates.
  void put_back() noexcept;

 private:
  struct Changed {
    std::size_t group;
    double own;
    double applied;
  };
  const Run& run_;
  Optimizer& optimizer_;
  std::size_t optimizer_idx_;
  std::vector<Changed> changed_;
};

}  // namespace grapnel
