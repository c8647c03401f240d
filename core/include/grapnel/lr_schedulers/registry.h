// The learning-rate schedulers that run.json can name, with their parameters. One more is one file
// and one row. Those that need a function (LambdaLR, MultiplicativeLR) are for code alone.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "grapnel/base/parameters.h"
#include "grapnel/export.h"
#include "grapnel/lr_scheduler.h"

namespace grapnel {

struct LRSchedulerEntry {
  ParameterTable parameters;  // its name is the scheduler's; the parameters are PyTorch's
  std::shared_ptr<LRScheduler> (*make)(std::shared_ptr<Optimizer> optimizer,
                                       const Parameters& parameters);
};

GRAPNEL_CORE_API const std::vector<LRSchedulerEntry>& lr_scheduler_registry();

// From {"name": "StepLR", "step_size": 10}. `context` is its path in run.json. Throws ConfigError,
// positioned, for a name or parameter that is not known or a value out of range.
GRAPNEL_CORE_API std::shared_ptr<LRScheduler> make_lr_scheduler(
    const ConfigValue& config, std::string_view context, std::shared_ptr<Optimizer> optimizer);

// The same with how the loop uses it beside its parameters, as in Lightning's lr_scheduler_config:
// "interval" ("epoch" or "step"), "frequency", "monitor", "strict", and "label" for the name that
// LearningRateMonitor shows.
GRAPNEL_CORE_API SchedulerConfig make_scheduler_config(const ConfigValue& config,
                                                       std::string_view context,
                                                       std::shared_ptr<Optimizer> optimizer);
// The table of those five.
GRAPNEL_CORE_API const ParameterTable& scheduler_config_parameters();

}  // namespace grapnel
