// Which functions may log, and whether they log the step or the epoch by default: Lightning's
// table.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "grapnel/device_scalar.h"
#include "grapnel/log_options.h"

namespace grapnel {

struct LogLevels {
  bool on_step;
  bool on_epoch;
};

// Resolves the defaults for a function ("training_step", "on_train_start"; empty when none is
// running). Throws ConfigError when the function may not log at all, not on this level, or neither
// level is on.
LogLevels resolve_log_levels(std::string_view function, std::string_view name,
                             const LogOptions& options);

// What is logged as one number, still on its device. MetricError when it isn't one.
DeviceScalar metric_scalar(const std::string& name, const LogValue& value);

}  // namespace grapnel
