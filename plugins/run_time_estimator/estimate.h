// The remaining time of a training, from the durations of its batches and validations.
//
//   left = batches left * mean of the last `window` batches
//        + validations left * mean of all validations so far
//
// The number of validations left assumes the same number of batches per validation as so far. The
// first batch of a training is ignored as soon as there are others, since it includes one-time
// preparations. There is no clock here: all times are arguments, in seconds.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

namespace run_time {

class Estimate {
 public:
  /// window: batches in the moving mean, 1 or more.
  explicit Estimate(std::int64_t window) : window_(static_cast<std::size_t>(window)) {}

  /// A batch took this long, from the end of the previous one to its own end, without validations.
  void add_batch(double seconds) {
    if (batches_++ == 0) {
      first_ = seconds;
      return;
    }
    last_.push_back(seconds);
    sum_ += seconds;
    if (last_.size() > window_) {
      sum_ -= last_.front();
      last_.pop_front();
    }
  }

  /// A validation after the batches so far took this long.
  void add_validation(double seconds) {
    ++validations_;
    validation_seconds_ += seconds;
    batches_when_validated_ = batches_ + batches_before_;
  }

  std::int64_t batches() const { return batches_; }  ///< since the training began or went on

  /// Empty before the first batch.
  std::optional<double> seconds_per_batch() const {
    if (batches_ == 0) return {};
    if (last_.empty()) return first_;
    return std::fmax(0.0,
                     sum_ / static_cast<double>(last_.size()));  // a sum of differences may round
  }

  double seconds_per_validation() const {
    return validations_ == 0 ? 0 : validation_seconds_ / static_cast<double>(validations_);
  }

  /// Empty before the first batch. batches_left: 0 or more.
  std::optional<double> seconds_left(double batches_left) const {
    const auto batch = seconds_per_batch();
    if (!batch) return {};
    return batches_left * *batch + validations_left(batches_left) * seconds_per_validation();
  }

  /// What a resumed training knows of validations before it has seen one itself.
  struct Validations {
    std::int64_t count = 0;
    double seconds = 0;              // of all of them
    std::int64_t batches = 0;        // trained when the last one ended
    std::int64_t batches_since = 0;  // trained after it
  };
  Validations validations() const {
    return {validations_, validation_seconds_, batches_when_validated_,
            batches_ + batches_before_ - batches_when_validated_};
  }
  void go_on_from(const Validations& known) {
    validations_ = known.count;
    validation_seconds_ = known.seconds;
    batches_when_validated_ = known.batches;
    batches_before_ = known.batches + known.batches_since;
  }

 private:
  double validations_left(double batches_left) const {
    if (validations_ == 0 || batches_when_validated_ == 0) return 0;
    const double interval =
        static_cast<double>(batches_when_validated_) / static_cast<double>(validations_);
    const auto since = static_cast<double>(batches_ + batches_before_ - batches_when_validated_);
    // Half a batch, for intervals that are not whole numbers (four validations in 45 batches).
    return std::floor((batches_left + since + 0.5) / interval);
  }

  std::size_t window_;
  std::int64_t batches_ = 0;
  std::int64_t batches_before_ = 0;  // trained before the training was resumed
  double first_ = 0;
  std::deque<double> last_;
  double sum_ = 0;  // of last_
  std::int64_t validations_ = 0;
  double validation_seconds_ = 0;
  std::int64_t batches_when_validated_ = 0;
};

/// "4 s", "12 min 5 s", "3 h 20 min", "2 d 4 h".
inline std::string in_words(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::llround(std::fmax(0.0, seconds)));
  const auto two = [](std::int64_t large, const char* unit, std::int64_t small,
                      const char* lesser) {
    const std::string text = std::to_string(large) + unit;
    return small == 0 ? text : text + " " + std::to_string(small) + lesser;
  };
  if (whole < 60) return std::to_string(whole) + " s";
  if (whole < 3600) return two(whole / 60, " min", whole % 60, " s");
  if (whole < 86400) return two(whole / 3600, " h", whole % 3600 / 60, " min");
  return two(whole / 86400, " d", whole % 86400 / 3600, " h");
}

/// "4.2", rounded down so that the last batches are not shown as done. value: 0 or more.
inline std::string with_tenths(double value) {
  const auto tenths = static_cast<std::int64_t>(value * 10 + 1e-6);
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10);
}

}  // namespace run_time
