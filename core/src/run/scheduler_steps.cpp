#include "run/scheduler_steps.h"

#include <fmt/format.h>

#include <algorithm>

#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "grapnel/base/text.h"
#include "run/data_unit.h"
#include "run/loops.h"
#include "run/run.h"

namespace grapnel {

namespace {

std::string missing_metric_text(const SchedulerConfig& config,
                                const std::vector<std::string>& names) {
  const auto near = nearest(config.monitor, names);
  return fmt::format(
      "{} monitors '{}', which nothing has logged{}; available: {}. Set the scheduler's monitor, or "
      "strict=false to skip its steps until then",
      config.scheduler->type_name(), config.monitor,
      near.has_value() ? fmt::format(" (did you mean '{}'?)", *near) : "",
      names.empty() ? "nothing" : join(names, ", "));
}

}  // namespace

void SchedulerSteps::begin_fit() {
  clocks_.clear();
  done_ = 0;
}

void SchedulerSteps::begin_epoch() {
  for (Clock& clock : clocks_) clock.every = EveryN::from_start();
}

void SchedulerSteps::move(const UnitChange& change, int64_t position) {
  for (Clock& clock : clocks_) {
    if (const auto last = clock.every.last()) {
      clock.every = EveryN(std::min(change.convert(*last), position));
    }
  }
}

void SchedulerSteps::step(Interval interval, bool with_metric, int64_t count) {
  if (run_.schedulers.empty() || !run_.module->automatic_optimization) return;
  clocks_.resize(run_.schedulers.size());
  const auto all = static_cast<int64_t>(clocks_.size());
  while (done_ < all) {
    const auto index = static_cast<size_t>(done_);
    const SchedulerConfig& config = run_.schedulers[index];
    Clock& clock = clocks_[index];
    const bool concerned =
        config.scheduler->wants_metric() == with_metric && config.interval == interval;
    const bool due =
        concerned && (interval == Interval::step ? clock.every.passed(count, config.frequency)
                                                 : count % config.frequency == 0);
    if (due) step(config, clock, with_metric);
    if (due && interval == Interval::step) clock.every.note(count);
    ++done_;
  }
  done_ = 0;
}

void SchedulerSteps::step(const SchedulerConfig& config, Clock& clock, bool with_metric) {
  std::optional<double> value;
  if (with_metric) {
    const MetricDict::Entry* entry = new_value(config, clock);
    if (entry == nullptr) return;
    value = entry->value.number();
    clock.metric_step = entry->global_step;
  }
  run_.state.scheduler.ready();
  run_.in_module("lr_scheduler_step",
                 [&] { run_.module->lr_scheduler_step(*config.scheduler, value); });
  run_.state.scheduler.completed();
}

const MetricDict::Entry* SchedulerSteps::new_value(const SchedulerConfig& config,
                                                   const Clock& clock) const {
  const MetricDict& available = run_.metrics.views().callback;
  if (const MetricDict::Entry* entry = available.find(config.monitor)) {
    return entry->global_step == clock.metric_step ? nullptr : entry;
  }
  if (!config.strict) {
    log_warning(
        "{} monitors '{}', which nothing has logged; its step is skipped "
        "(strict=false)",
        config.scheduler->type_name(), config.monitor);
    return nullptr;
  }
  if (is_about_to_come()) return nullptr;
  const auto names = available.names();
  throw MetricError(missing_metric_text(config, names), config.monitor, names);
}

// Before the first validation of the fit, in an epoch that has none: what it will log is not known.
bool SchedulerSteps::is_about_to_come() const {
  return run_.trainer.validation_enabled() && run_.state.validated_at_batch < 0 &&
         !run_.loops->fit.validates_this_epoch();
}

StateDict SchedulerSteps::state_dict() const {
  StateList clocks;
  for (const Clock& clock : clocks_) {
    StateDict one{{"stepped_at", clock.every.last().value_or(0)}};
    if (clock.metric_step.has_value()) one["metric_step"] = *clock.metric_step;
    clocks.emplace_back(std::move(one));
  }
  return {{"schedulers", std::move(clocks)}, {"done", done_}};
}

void SchedulerSteps::load_state_dict(const StateDict& state) {
  std::vector<Clock> clocks;
  for (const StateValue& each : state.at("schedulers").to_list()) {
    const StateDict& one = each.to_dict();
    Clock clock{.every = EveryN(one.at("stepped_at").to_int())};
    if (const StateValue* step = one.find("metric_step")) clock.metric_step = step->to_int();
    clocks.push_back(clock);
  }
  done_ = state.at("done").to_int();
  clocks_ = std::move(clocks);
}

}  // namespace grapnel
