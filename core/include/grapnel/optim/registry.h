// The optimizers that run.json can name, with their options. One more is one file and one row in
// registry.cpp; its class has the static function options_table().
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "grapnel/base/json.h"
#include "grapnel/export.h"
#include "grapnel/optimizer.h"
#include "grapnel/registry.h"

namespace grapnel {

using OptimizerRegistry = Registry<std::shared_ptr<Optimizer>, std::vector<ParamGroup>>;

GRAPNEL_CORE_API const OptimizerRegistry& optimizer_registry();

// From {"name": "AdamW", "lr": 0.001} or "AdamW". `context` is its path in run.json:
// "model.optimizer". Throws ConfigError, positioned, for a name or option that is not known or a
// value out of range.
GRAPNEL_CORE_API std::shared_ptr<Optimizer> make_optimizer(const ConfigValue& config,
                                                           std::string_view context,
                                                           std::vector<ParamGroup> groups);

}  // namespace grapnel
