#include "run/validation_schedule.h"

#include <fmt/format.h>

#include <algorithm>

#include "grapnel/base/error.h"
#include "run/data_unit.h"
#include "run/run.h"

namespace grapnel {

void ValidationSchedule::set_epoch_length(int64_t batches) {
  every_.reset();
  if (run_.limits.val_seconds.has_value()) return;
  const auto& interval = run_.limits.val_check_interval.value;
  if (const int64_t* count = std::get_if<int64_t>(&interval)) {
    if (batches >= 0 && *count > batches && !over_epochs() && !run_.limits.val.is_zero()) {
      throw ConfigError(
          {},
          fmt::format("val_check_interval={} is more than the {} training batches of an epoch; "
                      "lower it, set limit_val_batches=0 to validate never, or "
                      "check_val_every_n_epoch=null to count batches over epochs",
                      *count, batches),
          "val_check_interval");
    }
    set_every(*count);
    return;
  }
  const double fraction = std::get<double>(interval);
  if (fraction == 1.0) return;
  if (batches < 0) {
    throw ConfigError({},
                      fmt::format("val_check_interval={} is a fraction, but the training data "
                                  "doesn't know how many batches it has; give a whole number of "
                                  "batches, a time, or 1.0",
                                  fraction),
                      "val_check_interval");
  }
  set_every(*interval_of(batches));
}

std::optional<int64_t> ValidationSchedule::interval_of(int64_t batches) const {
  if (run_.limits.val_seconds.has_value()) return {};
  const auto& interval = run_.limits.val_check_interval.value;
  if (const int64_t* count = std::get_if<int64_t>(&interval)) return *count;
  const double fraction = std::get<double>(interval);
  if (fraction == 1.0 || batches < 0) return {};
  return std::max<int64_t>(1, static_cast<int64_t>(static_cast<double>(batches) * fraction));
}

void ValidationSchedule::set_every(int64_t batches) {
  every_ = batches;
  if (inferred_.has_value()) since_last_ = *inferred_ % batches;
  inferred_.reset();
}

bool ValidationSchedule::over_epochs() const {
  return !run_.limits.check_val_every_n_epoch.has_value();
}

void ValidationSchedule::begin_fit() {
  inferred_.reset();
  since_last_ = before_epoch_;
  last_time_ = run_.clock->now();
}

void ValidationSchedule::begin_epoch() {
  if (!over_epochs()) since_last_ = 0;
  before_epoch_ = since_last_;
}

bool ValidationSchedule::take_due() {
  if (run_.limits.val_seconds.has_value()) {
    return run_.clock->now() - last_time_ >= *run_.limits.val_seconds;
  }
  const bool due =
      every_.has_value() ? since_last_ >= *every_ || was_still_to_come() : run_.state.is_last_batch;
  if (due) since_last_ = 0;
  return due;
}

// The data ended before the batch after which it was due.
bool ValidationSchedule::was_still_to_come() const {
  const RunState& state = run_.state;
  if (over_epochs() || !state.is_last_batch || since_last_ == 0) return false;
  const int64_t missing = state.num_training_batches - state.batch.current.ready;
  return missing > 0 && since_last_ + missing >= *every_;
}

void ValidationSchedule::move(const UnitChange& change, int64_t done, int64_t position) {
  const int64_t here = std::min(since_last_, done);
  const int64_t of_earlier_epochs = since_last_ - here;
  const int64_t former_batches = change.from().batches;
  const std::optional<int64_t> former = interval_of(former_batches);
  const bool still_to_come = here > 0 && (!former.has_value() || former_batches < 0 ||
                                          here + former_batches - done >= *former);
  since_last_ = std::max<int64_t>(0, position - change.convert(done - here)) +
                change.convert(of_earlier_epochs);
  before_epoch_ = change.convert(before_epoch_);
  // There is no batch left to count.
  const bool ends = position == change.to().batches;
  if (ends && still_to_come && !over_epochs() && every_.has_value()) {
    since_last_ = std::max(since_last_, *every_);
  }
}

StateDict ValidationSchedule::state_dict(int64_t repeated) const {
  StateDict state{{"batches_since", std::max<int64_t>(0, since_last_ - repeated)},
                  {"batches_since_at_epoch_start", before_epoch_}};
  if (run_.limits.val_seconds.has_value()) state["seconds_since"] = run_.clock->now() - last_time_;
  return state;
}

void ValidationSchedule::load_state_dict(const StateDict& state) {
  const int64_t since = state.at("batches_since").to_int();
  const int64_t before = state.at("batches_since_at_epoch_start").to_int();
  if (const StateValue* seconds = state.find("seconds_since")) {
    last_time_ = run_.clock->now() - seconds->to_double();
  }
  since_last_ = since;
  before_epoch_ = before;
}

void ValidationSchedule::infer(int64_t of_epoch, int64_t of_run) {
  inferred_ = over_epochs() ? of_run : of_epoch;
}

}  // namespace grapnel
