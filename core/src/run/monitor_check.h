// Finds out early that a monitored metric is one that nothing logs (metric_names.h).
//
// Monitors are callbacks that are MetricMonitors, and schedulers that look at a metric. Two times:
//
//   when the training starts   a name that is not among those that the module says it logs; where it
//                              doesn't say, one that is a slip away from a metric of the sanity check
//   after the first epoch      a name that nothing has logged; once a validation has run, if there are
//                              any
//
// Both are warnings. The first is an error for a monitor that can't do without the metric, by a name
// that is a slip away from one that is logged, when no callback can log it either: all of them are
// built in, and none says that it does.
// An epoch in which all is known costs one look at a flag.
#pragma once

#include <set>
#include <string>
#include <vector>

namespace grapnel {

class Run;

// True once per fit for the two names: what is missing is said once, by whoever finds it out first.
bool first_report_of_missing(const std::string& who, const std::string& metric);

class MonitorCheck {
 public:
  explicit MonitorCheck(Run& run) : run_(run) {}

  void begin_fit();
  void note_validation() { validated_ = true; }
  void before_training();  // MetricError
  void after_epoch();

 private:
  struct Monitor {
    std::string who;  // "EarlyStopping"
    std::string metric;
    bool required;
    bool fails_run;  // when it is missing
  };
  std::vector<Monitor> monitors_without(const std::vector<std::string>& known) const;
  std::vector<std::string> known_names() const;
  bool callbacks_declare_all() const;

  Run& run_;
  bool active_ = false;                // not in trials
  bool validated_ = false;             // a validation has run, the sanity check's too
  std::vector<std::string> declared_;  // by callbacks and the module
};

}  // namespace grapnel
