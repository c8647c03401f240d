// The share of the training time that passes between batches, from the times of a few hooks.
//
//   wait   from the end of a batch to the start of the next; for the first of an epoch, from the
//          start of the epoch
//   work   from the start of a batch to its end
//
// Pauses (a validation, a checkpoint) count as neither. There is no clock here: all times are
// arguments, in seconds.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

namespace data_wait {

struct Times {
  double wait = 0;
  double work = 0;
  double longest_wait = 0;
  std::int64_t longest_wait_batch = 0;  // batch_idx of the batch waited for
  std::int64_t batches = 0;

  /// 0 to 1; 0 before the first batch.
  double share() const { return wait + work > 0 ? wait / (wait + work) : 0; }
};

class DataWait {
 public:
  /// Starts waiting for the first batch of an epoch.
  void epoch_start(double now) { free_since_ = now; }

  /// Pauses may nest.
  void pause_start(double now) {
    if (pauses_++ == 0) paused_ = now;
  }
  void pause_end(double now) {
    if (pauses_ == 0 || --pauses_ > 0) return;
    if (began_) {
      *began_ += now - paused_;
    } else if (free_since_) {
      *free_since_ += now - paused_;
    }
  }

  void batch_start(double now) {
    pauses_ = 0;  // one that a failure left open
    wait_ = free_since_ ? std::max(0.0, now - *free_since_) : 0;
    began_ = now;
    free_since_.reset();
  }
  void batch_end(double now, std::int64_t batch_idx) {
    free_since_ = now;
    if (!began_) return;  // resumed within a batch: its beginning was not seen
    const double work = std::max(0.0, now - *began_);
    add(recent_, work, batch_idx);
    add(epoch_, work, batch_idx);
    began_.reset();
  }

  /// Since the last call.
  Times take_recent() { return std::exchange(recent_, {}); }
  Times take_epoch() { return std::exchange(epoch_, {}); }

 private:
  void add(Times& to, double work, std::int64_t batch_idx) const {
    to.wait += wait_;
    to.work += work;
    ++to.batches;
    if (wait_ <= to.longest_wait) return;
    to.longest_wait = wait_;
    to.longest_wait_batch = batch_idx;
  }

  std::optional<double> free_since_;  // between batches
  std::optional<double> began_;       // within a batch
  double wait_ = 0;                   // for the batch being worked on
  std::int64_t pauses_ = 0;
  double paused_ = 0;
  Times recent_;
  Times epoch_;
};

}  // namespace data_wait
