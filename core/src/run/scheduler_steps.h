// When the learning-rate schedulers of a fit step: each by its interval and frequency, and those that
// look at a metric only when it has a new value.
//
// The frequency of a scheduler per step counts the batches of an epoch, and means that so many have
// passed since its last step: with accumulated gradients there are batches after which nothing
// steps. A pass that fails half-way is finished by a resumed run.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "grapnel/every_n.h"
#include "grapnel/lr_scheduler.h"
#include "grapnel/metric_dict.h"
#include "grapnel/state_dict.h"

namespace grapnel {

class Run;
class UnitChange;

class SchedulerSteps {
 public:
  explicit SchedulerSteps(Run& run) : run_(run) {}

  void begin_fit();
  void begin_epoch();
  // The data are others than the checkpoint's, and `position` batches of the epoch are done.
  void move(const UnitChange& change, int64_t position);

  // Steps those of the interval that look at a metric, or those that don't. count: batches of the
  // epoch or epochs of the run, the one that ends now included. Throws MetricError for a metric that
  // is missing and not about to come, unless the scheduler's strict is off.
  void step(Interval interval, bool with_metric, int64_t count);

  // {"schedulers": [{"stepped_at", "metric_step"}...], "done": n}
  StateDict state_dict() const;
  void load_state_dict(const StateDict& state);

 private:
  struct Clock {
    EveryN every = EveryN::from_start();   // per step: batches of the epoch
    std::optional<int64_t> metric_step{};  // the global step of the value that it saw last
  };

  void step(const SchedulerConfig& config, Clock& clock, bool with_metric);
  // Its new value; nothing: it steps without one, or not at all.
  const MetricDict::Entry* new_value(const SchedulerConfig& config, const Clock& clock) const;
  bool is_about_to_come() const;

  Run& run_;
  std::vector<Clock> clocks_;
  int64_t done_ = 0;  // of the schedulers, in the pass that runs
};

}  // namespace grapnel
