// Reports a monitored metric that nothing logs, usually a misspelt name, early (metric_names.h).
//
// Monitors are callbacks that are MetricMonitors, and schedulers that look at a metric. Two times:
//
//   when the training starts   a name that is not among those that the module declares; where it
//                              declares none, a likely typo of a metric of the sanity check
//   after the first epoch      a name that nothing has logged; after the first validation, if there
//                              is one
//
// Both are warnings. The first is an error when the monitor needs the metric, its name is a likely
// typo of a logged one, and no callback can log it either: all callbacks log only what they
// declare. Once all names are known, an epoch costs one look at a flag.
#pragma once

#include <set>
#include <string>
#include <vector>

namespace grapnel {

class RunMetrics;
class Trainer;

// True once per run for the two names, so that a missing metric is reported once.
bool first_report_of_missing(const std::string& who, const std::string& metric);

class MonitorCheck {
 public:
  // Both must outlive it. The trainer's run is the one that the metrics are of.
  MonitorCheck(const Trainer& trainer, const RunMetrics& metrics)
      : trainer_(trainer), metrics_(metrics) {}

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

  const Trainer& trainer_;
  const RunMetrics& metrics_;
  bool active_ = false;                // not in trials
  bool validated_ = false;             // a validation has run, the sanity check's too
  std::vector<std::string> declared_;  // by callbacks and the module
};

}  // namespace grapnel
