// Declares logged and monitored metrics, so that a misspelt monitor is reported before training.
//
// A module or callback that knows its metrics also derives from these. Declared and monitored names
// are compared when the training starts and after its first epoch (run/monitor_check.h). An unknown
// name gets a warning with the nearest known one, because the metric may be logged later, or by
// something that does not declare its metrics. It is an error if neither is possible (the module
// declares its metrics and all callbacks are built in) and the name is a likely typo of a known
// one.
#pragma once

#include <string>
#include <vector>

#include "grapnel/export.h"

namespace grapnel {

class Trainer;

class GRAPNEL_CORE_API MetricSource {
 public:
  virtual ~MetricSource();

  // All names that monitors can see of what it logs in the running fit, with the suffixes "_step",
  // "_epoch" and "/dataloader_idx_0" that log() adds; empty: not known. Called when the training
  // starts, after on_train_start. A derived class may log more, so a base class checks that it is
  // the object's own class:
  //
  //   return typeid(*this) == typeid(MyModel) ? names : std::vector<std::string>();
  virtual std::vector<std::string> metric_names(const Trainer& trainer) const = 0;
};

class GRAPNEL_CORE_API MetricMonitor {
 public:
  struct Watched {
    std::string name = {};  // empty: none
    bool required = true;   // false: works without it, so its absence alone is no error
  };
  virtual ~MetricMonitor();

  virtual Watched watched_metric() const = 0;
};

}  // namespace grapnel
