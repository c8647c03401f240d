// Measures the phases of a fit (grapnel/phase_times.h). Until someone asks, it reads no clock.
#pragma once

#include <cstdint>
#include <optional>

#include "grapnel/base/clock.h"
#include "grapnel/phase_times.h"

namespace grapnel {

class PhaseClock {
 public:
  explicit PhaseClock(const Clock& clock) : clock_(clock) {}

  // A run begins: what an earlier one measured is forgotten.
  void reset() {
    measured_.reset();
    running_ = false;
    current_ = Phase::other;
  }
  // From now on; a second call changes nothing.
  void measure() {
    if (measured_) return;
    measured_.emplace();
    running_ = true;
    since_ = clock_.now();
  }
  // The run ends: the times stay as they are.
  void stop() {
    settle();
    running_ = false;
  }
  void count_batch(std::int64_t samples) {
    if (!running_) return;
    ++measured_->batches;
    measured_->samples += samples;
  }
  // Until now; nothing when nobody asked in this run.
  std::optional<PhaseTimes> times() {
    settle();
    return measured_;
  }

  // A phase, for a scope. Within validation nothing else counts.
  class Span {
   public:
    Span(PhaseClock& clock, Phase phase) : clock_(clock), outer_(clock.current_) {
      if (outer_ != Phase::validation) clock_.enter(phase);
    }
    ~Span() {
      if (outer_ != Phase::validation) clock_.enter(outer_);
    }
    Span(const Span&) = delete;
    Span& operator=(const Span&) = delete;

   private:
    PhaseClock& clock_;
    Phase outer_;
  };

 private:
  void enter(Phase phase) {
    settle();
    current_ = phase;
  }
  void settle() {
    if (!running_) return;
    const double now = clock_.now();
    measured_->seconds[static_cast<std::size_t>(current_)] += now - since_;
    measured_->total_seconds += now - since_;
    since_ = now;
  }

  const Clock& clock_;
  std::optional<PhaseTimes> measured_;
  bool running_ = false;
  Phase current_ = Phase::other;
  double since_ = 0;
};

}  // namespace grapnel
