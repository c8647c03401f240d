// What a run spends its time on: gathered from the dispatcher, or from the profiler when the
// options ask for one; reported when the run ends.
#pragma once

#include <memory>

#include "dispatch/profiler.h"
#include "grapnel/base/clock.h"
#include "grapnel/dispatcher.h"
#include "grapnel/profile.h"
#include "grapnel/trainer.h"

namespace grapnel {

class ProfileReport {
 public:
  // hooks and clock must outlive it.
  ProfileReport(Dispatcher& hooks, const Clock& clock, ProfilerKind kind)
      : hooks_(hooks), clock_(clock), kind_(kind) {}

  void start();
  // Logs the table of the trainer's run, and writes the trace of its calls, if a profiler is set.
  void finish(const Trainer& trainer);
  // Of the running or last run.
  Profile profile() const;

  // For the spans of what is measured; nullptr: no profiler is set.
  Profiler* profiler() const { return profiler_.get(); }

 private:
  Dispatcher& hooks_;
  const Clock& clock_;
  ProfilerKind kind_;
  std::unique_ptr<Profiler> profiler_;
  double started_ = 0;
  double seconds_ = 0;  // of the last run
  bool running_ = false;
};

}  // namespace grapnel
