#include <grapnel/base/clock.h>

#include <chrono>
#include <stdexcept>

namespace grapnel {
namespace {

class SystemClock final : public Clock {
 public:
  double now() const override { return seconds(std::chrono::steady_clock::now()); }
  double wall_time() const override { return seconds(std::chrono::system_clock::now()); }

 private:
  template <class TimePoint>
  static double seconds(TimePoint time) {
    return std::chrono::duration<double>(time.time_since_epoch()).count();
  }
};

}  // namespace

Clock::~Clock() = default;
ManualClock::~ManualClock() = default;

const Clock& system_clock() noexcept {
  static const SystemClock clock;
  return clock;
}

void ManualClock::advance(double seconds) {
  if (!(seconds >= 0)) throw std::invalid_argument("a clock cannot be advanced by less than 0 s");
  seconds_.store(seconds_.load() + seconds);
}

}  // namespace grapnel
