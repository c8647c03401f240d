// The optimizers that run.json can name, with their parameters. One more is one file and one row.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "grapnel/base/parameters.h"
#include "grapnel/export.h"
#include "grapnel/optimizer.h"

namespace grapnel {

struct OptimizerEntry {
  const ParameterTable& parameters;  // its name is the optimizer's
  std::shared_ptr<Optimizer> (*make)(std::vector<ParamGroup> groups, const Parameters& parameters);
};

GRAPNEL_CORE_API const std::vector<OptimizerEntry>& optimizer_registry();

// From {"name": "AdamW", "lr": 0.001} or "AdamW". `context` is its path in run.json:
// "model.optimizer". Throws ConfigError, positioned, for a name or parameter that is not known or
// a value out of range.
GRAPNEL_CORE_API std::shared_ptr<Optimizer> make_optimizer(const ConfigValue& config,
                                                           std::string_view context,
                                                           std::vector<ParamGroup> groups);

}  // namespace grapnel
