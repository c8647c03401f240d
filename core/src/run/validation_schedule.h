// When a fit validates within its epochs: val_check_interval.
//
// An interval in batches means that so many have ended since the last time: of the epoch, or, with
// check_val_every_n_epoch unset, of the run. A batch that failed and is done again counts once. The
// end of the data is the end of the epoch, however many batches the loader had said: a validation
// that was still to come then comes there.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "grapnel/state_dict.h"

namespace grapnel {

class Run;
class UnitChange;

class ValidationSchedule {
 public:
  explicit ValidationSchedule(Run& run) : run_(run) {}

  // The length of an epoch is known; -1: it isn't. Throws ConfigError for an interval that doesn't
  // fit it.
  void set_epoch_length(int64_t batches);

  // A fit begins. An epoch that an earlier one left unfinished begins again.
  void begin_fit();
  void begin_epoch();
  void finish_epoch() { before_epoch_ = since_last_; }
  // The interval in batches for epochs of a length (-1: unknown), as far as that can be told;
  // nothing: at the end of the data.
  std::optional<int64_t> interval_of(int64_t batches) const;
  // Sets the interval, and returns the one before.
  std::optional<int64_t> exchange_interval(std::optional<int64_t> batches) {
    return std::exchange(every_, batches);
  }
  // The data are others than the checkpoint's: `done` batches of the epoch are `position` now.
  void move(const UnitChange& change, int64_t done, int64_t position);
  void count_batch() { ++since_last_; }

  // Whether the interval is over after the batches that were counted; if it is, the next one begins.
  bool take_due();
  void note_validation(double now) { last_time_ = now; }

  // {"batches_since", "batches_since_at_epoch_start", "seconds_since"}; repeated: batches that the
  // resumed run does again.
  StateDict state_dict(int64_t repeated) const;
  void load_state_dict(const StateDict& state);
  // Of a checkpoint without that state: batches of the epoch and of the run that had ended.
  void infer(int64_t of_epoch, int64_t of_run);

 private:
  void set_every(int64_t batches);
  bool over_epochs() const;
  bool was_still_to_come() const;

  Run& run_;
  std::optional<int64_t> every_;  // batches; nothing: at the end of the data
  int64_t since_last_ = 0;        // batches
  int64_t before_epoch_ = 0;      // since_last_ when the epoch began
  double last_time_ = 0;
  std::optional<int64_t> inferred_;  // batches since the first validation that was possible
};

}  // namespace grapnel
