// FitLoop's position in its data, when a resumed run has other data than the checkpoint's.
//
// The batch at which the checkpoint was written is finished first, as it would have been: with the
// former accumulation windows and intervals. Then the position and all that counts batches of the
// epoch are converted.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "grapnel/base/log.h"
#include "run/fit_loop.h"
#include "run/run.h"
#include "values/rng.h"

namespace grapnel {

namespace {

// What depends on the number of batches is as it was in the training that is resumed.
class FormerLengths {
 public:
  FormerLengths(RunState& state, ValidationSchedule& validations, const DataUnit& former)
      : state_(state),
        validations_(validations),
        former_windows_(former.accumulate_grad_batches),
        windows_(std::exchange(state.accumulate_grad_batches, former.accumulate_grad_batches)),
        batches_(std::exchange(state.num_training_batches, former.batches)),
        interval_(validations.exchange_interval(validations.interval_of(former.batches))) {}
  ~FormerLengths() {
    // Unless a hook has set others.
    if (state_.accumulate_grad_batches == former_windows_) {
      state_.accumulate_grad_batches = windows_;
    }
    state_.num_training_batches = batches_;
    validations_.exchange_interval(interval_);
  }
  FormerLengths(const FormerLengths&) = delete;
  FormerLengths& operator=(const FormerLengths&) = delete;

 private:
  RunState& state_;
  ValidationSchedule& validations_;
  const int64_t former_windows_;
  const int64_t windows_;
  const int64_t batches_;
  const std::optional<int64_t> interval_;
};

void set_position(Progress& batch, int64_t position, int64_t repeated) {
  Counter& total = batch.total;
  Counter& current = batch.current;
  for (int64_t Counter::*count :
       {&Counter::ready, &Counter::started, &Counter::processed, &Counter::completed}) {
    current.*count = position;
    total.*count = std::max(total.*count - repeated, position);
  }
}

}  // namespace

DataUnit FitLoop::unit_of_loader() const {
  DataUnit unit = unit_;
  unit.accumulate_grad_batches = run_.state.accumulate_grad_batches;
  const std::optional<int64_t> own = measured_size_.size();
  const std::optional<int64_t> size = own.has_value() ? own : kept_size_;
  if (size.has_value() && unit.sources.size() == 1 && !unit.sources[0].batch_size) {
    unit.sources[0].batch_size = size;
    unit.sources[0].is_measured = true;
  }
  return unit;
}

void FitLoop::note_size(const Fetcher::Item& item) {
  if (item.is_last || item.batch.empty()) return;
  const int64_t size = item.batch.batch_size();
  measured_size_.add(size);
  if (const auto before = std::exchange(size_before_, {}); before && *before != size) {
    log_warning(
        "a batch has {} samples, and had {} in the training that is resumed: the epoch in which the "
        "checkpoint was written continues with the batch of the same number, so samples are trained "
        "a second time or left out",
        size, *before);
  }
}

// A loader that doesn't say its batch size is asked for a batch where it has another length. One
// without a length, which may be a stream, is not: its next batch tells.
void FitLoop::measure_size_if_unknown(DataUnit& unit, const DataUnit& former) {
  const bool is_known = unit.sources.size() != 1 || unit.sources[0].batch_size.has_value() ||
                        former.sources.size() != 1 || !former.sources[0].batch_size;
  if (is_known) return;
  size_before_ = former.sources[0].batch_size;
  if (!set_.loaders[0]->size().has_value() || unit.batches == former.batches) return;
  const GeneratorScope generators;
  Fetcher fetcher(set_.loaders, set_.limits, run_.state.epoch.current.processed, "train");
  const std::optional<Fetcher::Item> first = fetcher.next();
  if (!first.has_value() || first->batch.empty() || first->batch.batch_size() < 1) return;
  unit.sources[0].batch_size = first->batch.batch_size();
  unit.sources[0].is_measured = true;
  size_before_.reset();
}

std::optional<DataUnit> FitLoop::data_unit() const {
  if (former_unit_.has_value()) return former_unit_;
  if (!set_.loaded) return {};
  return unit_of_loader();
}

void FitLoop::resume_batches(EpochMetrics& metrics) {
  if (!former_unit_.has_value()) return finish_batch_of_checkpoint(metrics);
  {
    const FormerLengths lengths(run_.state, validations_, *former_unit_);
    finish_batch_of_checkpoint(metrics);
  }
  const int64_t done = run_.state.batch.current.ready;
  const bool is_over =
      run_.state.is_last_batch || point_.end_epoch || done == former_unit_->batches;
  if (done > 0 && !is_over) {
    DataUnit unit = unit_of_loader();
    measure_size_if_unknown(unit, *former_unit_);
    move_position(UnitChange(*former_unit_, std::move(unit)), metrics);
  }
  if (former_unit_->sources.size() == 1 && former_unit_->sources[0].is_measured) {
    kept_size_ = former_unit_->sources[0].batch_size;
  }
  former_unit_.reset();
}

void FitLoop::move_position(const UnitChange& change, EpochMetrics& metrics) {
  RunState& state = run_.state;
  continues_at_ = state.batch.current.ready;
  if (const std::string order = change.other_order(); !order.empty()) {
    log_warning(
        "the training data {}: in the rest of the epoch in which the checkpoint was written, samples "
        "may come that were trained already, and others may be left out",
        order);
  }
  const bool is_other_size = change.is_other_size();
  if (!is_other_size && !change.is_other_length() && !change.is_other_accumulation()) return;

  const int64_t done = state.batch.current.ready;
  const bool begins_window_again =
      state.window_start >= 0 && (is_other_size || change.is_other_accumulation());
  const int64_t start = begins_window_again ? state.window_start : done;
  const int64_t batches = change.to().batches;
  int64_t position = change.convert(start);
  const bool is_end = batches >= 0 && position >= batches;
  if (is_end) position = batches;
  tell_move(change, {.start = start, .position = position, .is_end = is_end});

  if (begins_window_again) state.window_start = -1;
  const bool validated_here = state.validated_at_batch == state.batch.total.ready;
  set_position(state.batch, position, done - start);
  if (validated_here) state.validated_at_batch = state.batch.total.ready;
  validations_.move(change, done, position);
  schedulers_.move(change, position);
  continues_at_ = position;
  if (is_end) end_data(metrics);
}

void FitLoop::tell_move(const UnitChange& change, const Move& move) const {
  const RunState& state = run_.state;
  const int64_t done = state.batch.current.ready;
  const std::string where = fmt::format(
      "the checkpoint was written after {} {}{} of an epoch, which now has {}", done,
      change.from().batches < 0 ? "" : "of ", to_string(change.from()), to_string(change.to()));
  const bool begins_window_again = move.start != done;
  const std::string inexactness = change.inexactness(move.start);
  if (move.is_end) {
    log_warning(
        "{}: they are all trained already, so the epoch ends here, with its validation and "
        "schedulers",
        where);
    return;
  }
  if (!inexactness.empty()) {
    log_warning("{}: it continues with batch {}; {}", where, move.position, inexactness);
  } else if (!change.is_other_size() && change.is_other_length()) {
    log_warning("{}: it continues with batch {}, and ends elsewhere than it would have", where,
                move.position);
  } else if (change.is_other_size()) {
    log_info("{}: it continues with batch {}, at the same sample", where, move.position);
  }
  const int64_t windows = change.to().accumulate_grad_batches;
  const std::string accumulation =
      change.is_other_accumulation()
          ? fmt::format("accumulate_grad_batches is {}, and was {} in the training that is resumed",
                        windows, change.from().accumulate_grad_batches)
          : fmt::format("accumulate_grad_batches is {}", windows);
  const int64_t rest = windows - move.position % windows;
  const std::string is_short =
      rest == windows ? ""
                      : fmt::format(
                            "; the first window of the resumed epoch has {} of {} batches, so its "
                            "gradients are smaller",
                            rest, windows);
  if (begins_window_again) {
    log_warning(
        "{}: the accumulation window in which the checkpoint was written is done again as a whole, "
        "from batch {} of the epoch on{}",
        accumulation, move.position, is_short);
  } else if (!is_short.empty()) {
    log_warning("{}{}", accumulation, is_short);
  }
}

}  // namespace grapnel
