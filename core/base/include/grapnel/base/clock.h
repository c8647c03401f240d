// The clock of the loop and the callbacks; tests inject one that they advance themselves.
#pragma once

#include <atomic>

#include <grapnel/base/export.h>

namespace grapnel {

class GRAPNEL_BASE_API Clock {
 public:
  virtual ~Clock();
  // Seconds that never go back, from an arbitrary start. [any-thread]
  [[nodiscard]] virtual double now() const = 0;
  // Seconds since 1970-01-01 UTC; may jump when the machine's clock is set. [any-thread]
  [[nodiscard]] virtual double wall_time() const = 0;
};

// The machine's clocks. Lives as long as the process.
[[nodiscard]] GRAPNEL_BASE_API const Clock& system_clock() noexcept;

// A clock for tests that moves only when advanced. Both readings start at 1000 and move together.
class GRAPNEL_BASE_API ManualClock final : public Clock {
 public:
  ~ManualClock() override;
  [[nodiscard]] double now() const override { return seconds_.load(); }
  [[nodiscard]] double wall_time() const override { return seconds_.load(); }
  // `seconds` must not be negative (std::invalid_argument).
  void advance(double seconds);

 private:
  std::atomic<double> seconds_ = 1000.0;
};

}  // namespace grapnel
