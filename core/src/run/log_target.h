// Where log() of modules and callbacks goes: to the metrics of a run (run_metrics.h), or, in a loop
// of the user's own, at once to the loggers (Fabric).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "grapnel/log_options.h"

namespace grapnel {

struct LogCall {
  std::string_view function;  // that is running, "training_step"; empty: none
  const std::string& name;
  const LogValue& value;
  const LogOptions& options;
  int64_t global_step;
};

class LogTarget {
 public:
  virtual ~LogTarget() = default;
  // Throws ConfigError where logging isn't allowed, MetricError for a value that isn't one number.
  virtual void log(const LogCall& call) = 0;
};

}  // namespace grapnel
