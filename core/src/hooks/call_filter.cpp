#include "grapnel/call_filter.h"

#include <fmt/format.h>

#include <array>
#include <vector>

#include "grapnel/base/error.h"
#include "grapnel/base/text.h"
#include "grapnel/callback.h"
#include "hooks/call_filter_options.h"

namespace grapnel {

namespace {

struct FilterCondition {
  const char* key;
  std::optional<CallSpan> CallFilter::*span;
  const char* doc;
};

constexpr std::array<FilterCondition, 4> kConditions = {
    {{"every", &CallFilter::every, "Call it every so many steps or epochs."},
     {"after", &CallFilter::after, "Call it only after so many steps or epochs."},
     {"first", &CallFilter::first, "Call it only in the first steps or epochs."},
     {"last", &CallFilter::last, "Call it only in the last steps or epochs."}}};

const char* unit_name(CallSpan::Unit unit) {
  return unit == CallSpan::Unit::steps ? "steps" : "epochs";
}

int64_t reached(const CallPosition& position, CallSpan::Unit unit) {
  return unit == CallSpan::Unit::steps ? position.step : position.epoch;
}

std::optional<int64_t> end_of(const CallPosition& position, CallSpan::Unit unit) {
  return unit == CallSpan::Unit::steps ? position.steps : position.epochs;
}

bool recurs_in_epochs(Hook hook) {
  switch (hook) {
    case Hook::on_train_epoch_start:
    case Hook::on_train_epoch_end:
    case Hook::on_validation_start:
    case Hook::on_validation_end:
    case Hook::on_validation_epoch_start:
    case Hook::on_validation_epoch_end:
    case Hook::on_validation_batch_start:
    case Hook::on_validation_batch_end:
      return true;
    default:
      return is_within_training_batch(hook);
  }
}

}  // namespace

void check_filter(const CallFilter& filter, std::string_view context) {
  for (const FilterCondition& condition : kConditions) {
    const auto& span = filter.*condition.span;
    if (!span || span->count >= 1) continue;
    throw ConfigError::of(condition.key, "{}.{} is {} {}; it must be at least 1", context,
                          condition.key, span->count, unit_name(span->unit));
  }
}

void check_filter_end(const CallFilter& filter, const CallPosition& position,
                      std::string_view who) {
  if (!filter.last || end_of(position, filter.last->unit)) return;
  throw ConfigError::of(
      "last", "{}: the filter 'last' needs a finite trainer.max_{}; set it, or remove 'last'", who,
      unit_name(filter.last->unit));
}

bool concerns(const CallFilter& filter, Hook hook) {
  if (is_within_training_batch(hook)) return true;
  if (!recurs_in_epochs(hook)) return false;
  const bool only_every_step = filter.every && filter.every->unit == CallSpan::Unit::steps &&
                               !filter.after && !filter.first && !filter.last && !filter.once;
  return !only_every_step;
}

bool admits(const CallFilter& filter, Hook hook, const CallPosition& position) {
  if (!position.fitting || !recurs_in_epochs(hook)) return true;
  if (is_within_training_batch(hook)) return admits_event(filter, position);
  CallFilter in_epochs = filter;
  if (filter.every && filter.every->unit == CallSpan::Unit::steps) in_epochs.every.reset();
  return admits_event(in_epochs, position);
}

bool admits_event(const CallFilter& filter, const CallPosition& position) {
  if (filter.every && reached(position, filter.every->unit) % filter.every->count != 0) {
    return false;
  }
  if (filter.after && reached(position, filter.after->unit) <= filter.after->count) return false;
  if (filter.first && reached(position, filter.first->unit) > filter.first->count) return false;
  if (!filter.last) return true;
  const auto end = end_of(position, filter.last->unit);
  return end && reached(position, filter.last->unit) > *end - filter.last->count;
}

std::vector<Option<CallFilter>> call_filter_options() {
  std::vector<Option<CallFilter>> options;
  for (const FilterCondition& condition : kConditions) {
    options.push_back(option(condition.key, condition.span).doc(condition.doc));
  }
  options.push_back(option("once", &CallFilter::once).doc("Call each hook only the first time."));
  return options;
}

std::string to_string(const CallFilter& filter) {
  std::vector<std::string> parts;
  for (const FilterCondition& condition : kConditions) {
    const auto& span = filter.*condition.span;
    if (!span) continue;
    parts.push_back(fmt::format("{} {} {}", condition.key, span->count, unit_name(span->unit)));
  }
  if (filter.once) parts.emplace_back("once");
  return join(parts);
}

CallbackHandle CallbackHandle::only(const CallFilter& where) const {
  check_filter(where, callback->type_name());
  CallbackHandle filtered = *this;
  filtered.filter = where;
  return filtered;
}

}  // namespace grapnel
