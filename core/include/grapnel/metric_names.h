// Who logs which metrics, and who watches one: so that a name that nobody logs, usually a misspelt
// one, is found out before hours of training went by.
//
// A module or callback derives from these beside its own base class, where it can tell. What is known
// is compared when the training starts and after its first epoch (src/monitor_check.h). A name that
// isn't among what is known gets a warning with the nearest one, because a metric may be logged only
// later, or by something that doesn't tell; it is an error where that can't be and the name is a slip
// away from one that is logged: the module has told what it logs, and all callbacks are built in.
#pragma once

#include <string>
#include <vector>

#include "grapnel/export.h"

namespace grapnel {

class Trainer;

class GRAPNEL_CORE_API MetricSource {
 public:
  virtual ~MetricSource();

  // All names, now and later, that monitors can see of what it logs in the running fit, with the
  // "_step", "_epoch" and "/dataloader_idx_0" that log() adds; empty: not known. Asked when the
  // training starts, after on_train_start. A class that others derive from, which may log more,
  // answers for itself alone:
  //
  //   return typeid(*this) == typeid(MyModel) ? names : std::vector<std::string>();
  virtual std::vector<std::string> metric_names(const Trainer& trainer) const = 0;
};

class GRAPNEL_CORE_API MetricMonitor {
 public:
  struct Watched {
    std::string name = {};  // empty: none
    bool required = true;   // false: it makes do without, so that its absence alone means nothing
  };
  virtual ~MetricMonitor();

  virtual Watched watched_metric() const = 0;
};

}  // namespace grapnel
