#include "grapnel/callbacks/timer.h"

#include <fmt/format.h>

#include <cmath>

#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "grapnel/base/text.h"
#include "grapnel/trainer.h"
#include "run/loops.h"
#include "run/run.h"

namespace grapnel {

namespace {

constexpr Stage kStages[] = {Stage::train, Stage::sanity_check, Stage::validate, Stage::test,
                             Stage::predict};

std::string hours_minutes_seconds(double seconds) {
  const auto whole = static_cast<int64_t>(seconds);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

}  // namespace

Timer::Timer(TimerOptions options) : options_(options), clock_(&system_clock()) {
  options_table().check(options_, "Timer");
}

const OptionsTable<TimerOptions>& Timer::options_table() {
  using O = TimerOptions;
  static const OptionsTable<O> table(
      "timer", "Stops the training after a given time.",
      {option<Seconds>("duration", &O::duration)
           .at_least(0)
           .finite()
           .doc("Time to train; null: no limit."),
       option("interval", &O::interval).doc("When to look at the clock."),
       option("verbose", &O::verbose).doc("Log every time the limit is found to be reached.")});
  return table;
}

std::optional<double> Timer::start_time(Stage stage) const {
  return span(stage).start;
}

std::optional<double> Timer::end_time(Stage stage) const {
  return span(stage).end;
}

double Timer::time_elapsed(Stage stage) const {
  const double offset = stage == Stage::train ? offset_ : 0.0;
  const Span& times = span(stage);
  if (!times.start.has_value()) return offset;
  return times.end.value_or(clock_->now()) - *times.start + offset;
}

std::optional<double> Timer::time_remaining(Stage stage) const {
  if (!options_.duration.has_value()) return std::nullopt;
  return *options_.duration - time_elapsed(stage);
}

StateDict Timer::state_dict() const {
  StateDict elapsed;
  for (const Stage stage : kStages) elapsed[to_string(stage)] = time_elapsed(stage);
  return {{"time_elapsed", elapsed}};
}

void Timer::load_state_dict(const StateDict& state) {
  const StateValue* elapsed = state.find("time_elapsed");
  const StateValue* train = elapsed == nullptr ? nullptr : elapsed->to_dict().find("train");
  offset_ = train == nullptr ? 0.0 : train->to_double();
  span(Stage::train) = {};  // a training of this process before the resume is no part of it
}

HookMask Timer::wanted(const HookMask& overridden) const {
  HookMask mask = overridden;
  const auto only_if = [&](Hook hook, bool condition) {
    mask.set(hook, condition && overridden.test(hook));
  };
  const bool limited = options_.duration.has_value();
  const bool steps = options_.interval == Interval::step;
  only_if(Hook::on_fit_start, limited);
  only_if(Hook::on_train_batch_end, limited && steps);
  only_if(Hook::on_train_epoch_end, limited && !steps);
  return mask;
}

void Timer::setup(StageEvent& event) {
  clock_ = &event.trainer.clock();
  if (event.run != RunKind::fit || event.trainer.global_step() > 0) return;
  offset_ = 0;  // of another training
  span(Stage::train) = {};
}

// A resumed run whose time was over before it started must not train at all; but where the clock is
// looked at after epochs, an epoch that it continues comes to its end, unless the stop was requested
// before that epoch and min_epochs or min_steps puts it off.
void Timer::on_fit_start(Event& event) {
  const Checkpointing& resumed = Run::of(event.trainer).checkpointing;
  const bool waits = options_.interval == Interval::epoch && resumed.continues_epoch() &&
                     !resumed.holds_stop_of(*this);
  if (!waits) stop_if_over(event.trainer);
}

void Timer::on_train_start(Event&) {
  begin(Stage::train);
}
void Timer::on_train_end(Event&) {
  span(Stage::train).end = clock_->now();
}
void Timer::on_validation_start(Event&) {
  begin(Stage::validate);
}
void Timer::on_validation_end(Event&) {
  span(Stage::validate).end = clock_->now();
}
void Timer::on_test_start(Event&) {
  begin(Stage::test);
}
void Timer::on_test_end(Event&) {
  span(Stage::test).end = clock_->now();
}
void Timer::on_train_batch_end(TrainBatchEnd& event) {
  stop_if_over(event.trainer);
}
void Timer::on_train_epoch_end(Event& event) {
  if (!Run::of(event.trainer).loops->fit.ends_within_epoch()) stop_if_over(event.trainer);
}

void Timer::begin(Stage stage) {
  span(stage) = {.start = clock_->now(), .end = {}};
}

void Timer::stop_if_over(Trainer& trainer) {
  const double elapsed = time_elapsed();
  if (elapsed < *options_.duration) return;
  const std::string reason =
      fmt::format("the time limit of {} is reached: {} elapsed", human_seconds(*options_.duration),
                  hours_minutes_seconds(elapsed));
  // The trainer logs the first stop that it is asked for, with its reason.
  if (options_.verbose && trainer.should_stop()) log_text(LogLevel::info, reason);
  trainer.request_stop(reason);
}

}  // namespace grapnel
