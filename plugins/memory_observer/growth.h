// Whether a number keeps growing: the streak of readings that were each larger than the one before.
#pragma once

#include <cstdint>
#include <optional>

namespace memory_observer {

class Growth {
 public:
  struct Streak {
    std::int64_t readings;  // each larger than the one before; 0 when the last was not
    std::int64_t bytes;     // by how much over all of them
  };

  /// patience: readings in a row before a streak is reported; bytes: what it must have grown by,
  /// too.
  Growth(std::int64_t patience, std::int64_t bytes) : patience_(patience), bytes_(bytes) {
    restart();
  }

  /// The streak when it is time to report it: at `patience` readings, and again whenever it has
  /// become twice as long as at the last report.
  std::optional<Streak> add(std::int64_t reading) {
    if (!last_ || reading <= *last_) {
      restart();
      before_ = reading;
    } else {
      ++readings_;
    }
    last_ = reading;
    const Streak streak{readings_, reading - before_};
    if (readings_ < next_report_ || streak.bytes < bytes_) return {};
    next_report_ = readings_ * 2;
    return streak;
  }

 private:
  void restart() {
    readings_ = 0;
    next_report_ = patience_;
  }

  std::int64_t patience_;
  std::int64_t bytes_;
  std::optional<std::int64_t> last_;
  std::int64_t before_ = 0;  // the reading before the streak
  std::int64_t readings_ = 0;
  std::int64_t next_report_ = 0;
};

}  // namespace memory_observer
