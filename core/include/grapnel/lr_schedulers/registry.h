// The learning-rate schedulers that run.json can name, with PyTorch's options. One more is one file
// and one row in registry.cpp; its class has the static function options_table(). Those that need a
// function (LambdaLR, MultiplicativeLR) are for code alone.
#pragma once

#include <memory>
#include <string_view>

#include "grapnel/base/json.h"
#include "grapnel/export.h"
#include "grapnel/lr_scheduler.h"
#include "grapnel/registry.h"

namespace grapnel {

using LRSchedulerRegistry = Registry<std::shared_ptr<LRScheduler>, std::shared_ptr<Optimizer>>;

GRAPNEL_CORE_API const LRSchedulerRegistry& lr_scheduler_registry();

// From {"name": "StepLR", "step_size": 10}. `context` is its path in run.json. Throws ConfigError,
// positioned, for a name or option that is not known or a value out of range.
GRAPNEL_CORE_API std::shared_ptr<LRScheduler> make_lr_scheduler(
    const ConfigValue& config, std::string_view context, std::shared_ptr<Optimizer> optimizer);

// The same with how the loop uses it next to its options, as in Lightning's lr_scheduler_config:
// "interval" ("epoch" or "step"), "frequency", "monitor", "strict", and "label" for the name that
// LearningRateMonitor shows.
GRAPNEL_CORE_API SchedulerConfig make_scheduler_config(const ConfigValue& config,
                                                       std::string_view context,
                                                       std::shared_ptr<Optimizer> optimizer);

}  // namespace grapnel
