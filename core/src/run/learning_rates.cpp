#include "run/learning_rates.h"

#include <fmt/format.h>

#include <cmath>
#include <string>
#include <vector>

#include "grapnel/base/error.h"
#include "grapnel/base/text.h"
#include "run/run.h"
#include "values/float_limits.h"

namespace grapnel {

double learning_rate_factor(const Run& run, std::size_t optimizer_idx, std::size_t group) {
  double product = 1.0;
  for (const CallbackHandle& handle : run.callbacks) {
    const double factor = handle.callback->learning_rate_factor(optimizer_idx, group);
    if (factor == 1.0 || run.hooks.disabled(handle.callback.get())) continue;
    if (!(factor >= 0.0) || !std::isfinite(factor)) {
      throw ConfigError::of("lr",
                            "{} multiplies the learning rate of optimizer {}, group {}, by {}; a "
                            "factor must be finite and at least 0",
                            handle.callback->type_name(), optimizer_idx, group, factor);
    }
    product *= factor;
  }
  return product;
}

namespace {

// "warmup: 2, cyclic: 1e39"
std::string whose_factors(const Run& run, std::size_t optimizer_idx, std::size_t group) {
  std::vector<std::string> factors;
  for (const CallbackHandle& handle : run.callbacks) {
    const double factor = handle.callback->learning_rate_factor(optimizer_idx, group);
    if (factor == 1.0 || run.hooks.disabled(handle.callback.get())) continue;
    factors.push_back(fmt::format("{}: {}", handle.callback->type_name(), factor));
  }
  return join(factors);
}

}  // namespace

double learning_rate(const Run& run, const Optimizer& optimizer, std::size_t optimizer_idx,
                     std::size_t group) {
  const auto& options = optimizer.groups()[group].options;
  const auto own = options.find("lr");
  if (own == options.end()) return 0.0;
  const double factor = learning_rate_factor(run, optimizer_idx, group);
  if (factor == 1.0) return own->second;
  const double rate = own->second * factor;
  if (!(std::abs(rate) <= kLargestFloat)) {
    throw ConfigError::of(
        "lr",
        "the learning rate of optimizer {}, group {}, would be {} times {} (of {}); "
        "it must be at most {}, above which float32 is infinite",
        optimizer_idx, group, own->second, factor, whose_factors(run, optimizer_idx, group),
        kLargestFloat);
  }
  return rate;
}

void FactoredRates::apply() {
  put_back();
  std::vector<ParamGroup>& groups = optimizer_.groups();
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const auto own = groups[i].options.find("lr");
    if (own == groups[i].options.end()) continue;
    const double rate = learning_rate(run_, optimizer_, optimizer_idx_, i);
    if (rate == own->second) continue;
    changed_.push_back({i, own->second, rate});
    own->second = rate;
  }
}

void FactoredRates::put_back() noexcept {
  std::vector<ParamGroup>& groups = optimizer_.groups();
  for (const Changed& changed : changed_) {
    const auto rate = groups[changed.group].options.find("lr");
    if (rate != groups[changed.group].options.end() && rate->second == changed.applied) {
      rate->second = changed.own;
    }
  }
  changed_.clear();
}

}  // namespace grapnel
