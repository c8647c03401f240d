// What callbacks that watch a metric share: which direction is better, how scores compare, and what
// is said when the metric isn't there.
//
// Scores are compared in single precision, because that is what a logged metric is in Lightning: an
// improvement in the ninth digit, which may only be the rounding of a mean, must not reset a
// patience.
#pragma once

#include <string>
#include <string_view>

#include "grapnel/base/enum_names.h"
#include "grapnel/base/error.h"
#include "grapnel/export.h"

namespace grapnel {

class MetricDict;

enum class MonitorMode { min, max };

template <>
inline constexpr auto enum_names<MonitorMode> =
    std::to_array<EnumName<MonitorMode>>({{MonitorMode::min, "min"}, {MonitorMode::max, "max"}});

GRAPNEL_CORE_API std::string_view to_string(MonitorMode mode);

// "min" or "max"; throws ConfigError for anything else.
GRAPNEL_CORE_API MonitorMode parse_monitor_mode(std::string_view text);

// Strictly better, in single precision; never true with a NaN on either side.
GRAPNEL_CORE_API bool is_better(MonitorMode mode, double a, double b);

// +inf where less is better, -inf where more is.
GRAPNEL_CORE_API double worst_score(MonitorMode mode);

// "EarlyStopping monitors 'val_los', which nothing has logged; did you mean 'val_loss'? ..."
GRAPNEL_CORE_API MetricError missing_metric(std::string_view callback, const std::string& monitor,
                                            const MetricDict& available);

}  // namespace grapnel
