#include "grapnel/call_filter.h"

#include <fmt/format.h>

#include <array>
#include <vector>

#include "grapnel/base/error.h"
#include "grapnel/base/text.h"
#include "grapnel/callback.h"

namespace grapnel {

namespace {

struct FilterCondition {
  const char* key;
  std::optional<CallSpan> CallFilter::*span;
};

constexpr std::array<FilterCondition, 4> kConditions = {{{"every", &CallFilter::every},
                                                         {"after", &CallFilter::after},
                                                         {"first", &CallFilter::first},
                                                         {"last", &CallFilter::last}}};

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

CallSpan parse_span(const ConfigValue& value, const std::string& context) {
  const auto refuse_span = [&](const ConfigValue& at) {
    throw at.error(
        fmt::format("'{}' must be {{\"steps\": n}} or {{\"epochs\": n}} with n at least 1, "
                    "found {}",
                    context, at.describe()),
        context);
  };
  if (!value.is_object() || value.size() != 1) refuse_span(value);
  const ConfigValue::Member& member = value.as_object().front();
  if (member.key != "steps" && member.key != "epochs") {
    const std::vector<std::string> known = {"steps", "epochs"};
    throw ConfigError(member.key_position(),
                      fmt::format("unknown unit {} in {}; known are 'steps' and 'epochs'",
                                  quote(member.key), context),
                      context, nearest(member.key, known).value_or(""));
  }
  if (!member.value.is_integer() || member.value.as_int() < 1) refuse_span(member.value);
  const int64_t count = member.value.as_int();
  return member.key == "steps" ? CallSpan::steps(count) : CallSpan::epochs(count);
}

}  // namespace

void check_filter(const CallFilter& filter, std::string_view context) {
  for (const FilterCondition& condition : kConditions) {
    const auto& span = filter.*condition.span;
    if (!span || span->count >= 1) continue;
    throw ConfigError({},
                      fmt::format("{}.{} is {} {}; it must be at least 1", context, condition.key,
                                  span->count, unit_name(span->unit)),
                      condition.key);
  }
}

void check_filter_end(const CallFilter& filter, const CallPosition& position,
                      std::string_view who) {
  if (!filter.last || end_of(position, filter.last->unit)) return;
  throw ConfigError(
      {},
      fmt::format("{}: the filter 'last' needs trainer.max_{}", who, unit_name(filter.last->unit)),
      "last");
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

std::optional<CallFilter> take_filter(ConfigValue& parameters, const ParameterTable& own,
                                      std::string_view context) {
  CallFilter filter;
  bool any = false;
  for (const FilterCondition& condition : kConditions) {
    const ConfigValue* value = parameters.find(condition.key);
    if (value == nullptr || own.find(condition.key) != nullptr) continue;
    filter.*condition.span = parse_span(*value, fmt::format("{}.{}", context, condition.key));
    parameters.erase(condition.key);
    any = true;
  }
  const ConfigValue* once = parameters.find("once");
  if (once != nullptr && own.find("once") == nullptr) {
    filter.once = once->as_bool(fmt::format("{}.once", context));
    parameters.erase("once");
    any = true;
  }
  if (!any) return std::nullopt;
  return filter;
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
