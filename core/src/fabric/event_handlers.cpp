#include "grapnel/event_handlers.h"

#include <fmt/format.h>

#include <algorithm>

#include "grapnel/base/error.h"
#include "grapnel/base/text.h"
#include "values/type_name.h"

namespace grapnel {

namespace {

std::vector<std::string> parameter_names(const EventHandler& handler) {
  std::vector<std::string> names;
  for (const EventParameter& parameter : handler.parameters) names.push_back(parameter.name);
  return names;
}

// "'loss' and 'output'", or "none".
std::string listed(const std::vector<std::string>& names) {
  return names.empty() ? "none" : join_quoted(names, "and");
}

[[noreturn]] void refuse_call(const EventHandler& handler, const std::string& owner,
                              const std::string& what, const std::string& key = {},
                              const std::string& near = {}) {
  throw ArgumentError({}, fmt::format("{}'s {} {}", owner, handler.event, what), key, near);
}

void check_given_once(const EventHandler& handler, const std::string& owner,
                      const EventArguments& arguments) {
  for (size_t i = 0; i < arguments.named.size(); ++i) {
    const std::string& name = arguments.named[i].name;
    for (size_t j = 0; j < i; ++j) {
      if (arguments.named[j].name == name) {
        refuse_call(handler, owner, fmt::format("got the argument {} twice", quote(name)), name);
      }
    }
  }
}

[[noreturn]] void refuse_missing(const EventHandler& handler, const std::string& owner,
                                 const std::string& name, const EventArguments& arguments) {
  const std::vector<std::string> known = parameter_names(handler);
  std::vector<std::string> given;
  std::vector<std::string> unknown;  // one of them may be the one that is missing, misspelt
  for (const NamedArgument& argument : arguments.named) {
    given.push_back(argument.name);
    if (std::find(known.begin(), known.end(), argument.name) == known.end()) {
      unknown.push_back(argument.name);
    }
  }
  const std::string near = nearest(name, unknown).value_or("");
  refuse_call(handler, owner,
              fmt::format("needs the argument {}{} It takes {}; given: {} positional, {} by "
                          "name",
                          quote(name),
                          near.empty() ? "." : fmt::format("; is {} a typo of it?", quote(near)),
                          listed(known), arguments.positional.size(), listed(given)),
              name, near);
}

}  // namespace

BoundArguments bind_arguments(const EventHandler& handler, const std::string& owner,
                              const EventArguments& arguments) {
  check_given_once(handler, owner, arguments);
  BoundArguments bound;
  size_t place = 0;
  const auto next_place = [&]() -> const EventValue* {
    return place < arguments.positional.size() ? &arguments.positional[place++] : nullptr;
  };
  for (const EventParameter& parameter : handler.parameters) {
    const EventValue* by_name = arguments.find(parameter.name);
    const EventValue* value = parameter.by_name_only ? nullptr : next_place();
    if (value != nullptr && by_name != nullptr) {
      refuse_call(
          handler, owner,
          fmt::format("got the argument {} twice, by position and by name", quote(parameter.name)),
          parameter.name);
    }
    if (value == nullptr) value = by_name;
    if (value == nullptr && parameter.default_value) value = &*parameter.default_value;
    if (value == nullptr) refuse_missing(handler, owner, parameter.name, arguments);
    bound.values.push_back(*value);
  }
  while (const EventValue* value = next_place()) {
    if (!handler.takes_more_positional) {
      const auto most = std::count_if(handler.parameters.begin(), handler.parameters.end(),
                                      [](const auto& each) { return !each.by_name_only; });
      refuse_call(handler, owner,
                  fmt::format("takes {} positional arguments ({}), got {}", most,
                              listed(parameter_names(handler)), arguments.positional.size()));
    }
    bound.rest.add(*value);
  }
  if (!handler.takes_more_named) return bound;
  const std::vector<std::string> known = parameter_names(handler);
  for (const NamedArgument& argument : arguments.named) {
    if (std::find(known.begin(), known.end(), argument.name) == known.end()) {
      bound.rest.add(argument);
    }
  }
  return bound;
}

void refuse_argument(std::string_view event, std::string_view name, std::string_view wanted,
                     const EventValue& found) {
  throw ArgumentError({},
                      fmt::format("{}: the argument {} must be {}, found {}", event, quote(name),
                                  wanted, found.describe()),
                      std::string(name));
}

namespace event_detail {

void check_parameter_count(const std::string& event, size_t named, size_t taken) {
  if (named == taken) return;
  throw ConfigError({},
                    fmt::format("the handler of '{}' takes {} arguments, but {} are named; name "
                                "each of them, in order",
                                event, taken, named));
}

}  // namespace event_detail

EventHandlers::~EventHandlers() = default;

void EventHandlers::add_handler(EventHandler handler) {
  const auto same = std::find_if(handlers_.begin(), handlers_.end(),
                                 [&](const auto& known) { return known.event == handler.event; });
  if (same == handlers_.end()) {
    handlers_.push_back(std::move(handler));
  } else {
    *same = std::move(handler);
  }
}

const EventHandler* EventHandlers::find_handler(std::string_view event) const {
  for (const EventHandler& handler : handlers_) {
    if (handler.event == event) return &handler;
  }
  return nullptr;
}

std::string EventHandlers::owner_name() const {
  return unqualified_name(typeid(*this));
}

}  // namespace grapnel
