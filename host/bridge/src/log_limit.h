// How much a plugin may log: a burst, and a few lines a second after it. A plugin that logs every step
// fills a disk; what was left out is counted, and told with the next line that is let through.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

namespace grapnel::bridge {

class LogLimit {
 public:
  using Clock = std::chrono::steady_clock;

  static constexpr double kBurst = 1000;      // lines
  static constexpr double kPerSecond = 20;    // lines
  static constexpr double kLineBytes = 1000;  // a longer line counts as several

  // nullopt: the line is left out. Else the number of lines left out since the last one let through.
  std::optional<std::uint64_t> admit(std::size_t bytes, Clock::time_point now) {
    const std::chrono::duration<double> passed = now - last_;
    last_ = now;
    free_ = std::min(kBurst, free_ + kPerSecond * std::max(passed.count(), 0.0));
    const double lines = std::max(1.0, static_cast<double>(bytes) / kLineBytes);
    if (free_ < 1) {
      ++left_out_;
      return std::nullopt;
    }
    free_ -= lines;  // below 0 for a long one, which then delays the next
    return take_left_out();
  }
  std::uint64_t take_left_out() { return std::exchange(left_out_, 0); }

 private:
  double free_ = kBurst;
  Clock::time_point last_ = Clock::now();
  std::uint64_t left_out_ = 0;
};

}  // namespace grapnel::bridge
