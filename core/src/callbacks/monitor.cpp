#include "grapnel/callbacks/monitor.h"

#include <fmt/format.h>

#include <limits>
#include <vector>

#include "grapnel/base/text.h"
#include "grapnel/trainer.h"

namespace grapnel {

std::string_view to_string(MonitorMode mode) {
  return mode == MonitorMode::min ? "min" : "max";
}

MonitorMode parse_monitor_mode(std::string_view text) {
  if (text == "min") return MonitorMode::min;
  if (text == "max") return MonitorMode::max;
  throw ConfigError::of("mode", "mode is {}; accepted are 'min' (less is better) and 'max'",
                        quote(text));
}

bool is_better(MonitorMode mode, double a, double b) {
  const auto x = static_cast<float>(a);
  const auto y = static_cast<float>(b);
  return mode == MonitorMode::min ? x < y : x > y;
}

double worst_score(MonitorMode mode) {
  const double infinity = std::numeric_limits<double>::infinity();
  return mode == MonitorMode::min ? infinity : -infinity;
}

MetricError missing_metric(std::string_view callback, const std::string& monitor,
                           const MetricDict& available) {
  const std::vector<std::string> names = available.names();
  std::string message = fmt::format("{} monitors {}, which is not among the logged metrics",
                                    callback, quote(monitor));
  message += did_you_mean(monitor, names);
  message += names.empty() ? std::string("; nothing has been logged for an epoch so far")
                           : fmt::format(" (there is {})", join_quoted(names, "and"));
  message += fmt::format("; log it with log({}, value), or monitor another metric", quote(monitor));
  return {message, monitor, names};
}

}  // namespace grapnel
