// "Every n steps" for a counter that may jump: a training batch can make no step, one or several.
//
//   if (every_.passed(trainer.global_step(), 100)) {
//     every_.note(trainer.global_step());
//     ...
//   }
//
// means that n steps have passed since the last time. Where the counter moves by one that is every
// multiple of n. The last time belongs in the state of whoever asks, so that a resumed run asks on.
#pragma once

#include <cstdint>
#include <optional>

namespace grapnel {

class EveryN {
 public:
  // Counting begins at 0, as in a run from the start.
  static EveryN from_start() { return EveryN(0); }
  // The last time is not known, as after a checkpoint that doesn't have it: the next one is at a
  // multiple of n.
  EveryN() = default;
  explicit EveryN(int64_t last) : last_(last) {}

  // Whether n have passed since the last time; n: at least 1.
  bool passed(int64_t count, int64_t n) const {
    return last_.has_value() ? count - *last_ >= n : count % n == 0;
  }
  // This is a last time.
  void note(int64_t count) { last_ = count; }

  // The last time; 0: none yet; empty: unknown.
  std::optional<int64_t> last() const { return last_; }

 private:
  std::optional<int64_t> last_;
};

}  // namespace grapnel
