// Parameters: reading checked values.
#include <grapnel/base/parameters.h>
#include <grapnel/base/text.h>

#include <algorithm>
#include <charconv>
#include <stdexcept>

#include "parameter_check.h"

namespace grapnel {
namespace {

[[noreturn]] void mistaken(const std::string& context, std::string_view name,
                           const std::string& what) {
  throw std::logic_error("parameter " + quote(name) +
                         (context.empty() ? std::string() : " of " + context) + " " + what);
}

// Elements of a list; a value that is no list counts as a list of one.
template <class T, class Convert>
std::vector<T> elements(const ConfigValue& value, Convert convert) {
  std::vector<T> out;
  if (!value.is_array()) return {convert(value)};
  for (const ConfigValue& item : value.as_array()) out.push_back(convert(item));
  return out;
}

}  // namespace

const ConfigValue& Parameters::raw(std::string_view name) const {
  if (const ConfigValue* value = values_.find(name)) return *value;
  mistaken(context_, name, "is not in its table");
}

bool Parameters::contains(std::string_view name) const noexcept {
  return values_.contains(name);
}

bool Parameters::was_given(std::string_view name) const {
  static_cast<void>(raw(name));
  return std::find(given_.begin(), given_.end(), name) != given_.end();
}

ConfigError Parameters::error(std::string_view name, const std::string& message) const {
  const ConfigValue& value = raw(name);
  const std::string key = context_.empty() ? std::string(name) : context_ + "." + std::string(name);
  const SourcePosition at = value.position();
  return {at.to_string().empty() ? position_ : at, detail::with_subject(key, message), key};
}

// A wrong kind here is a mistake of the code that reads, not of the configuration.
template <class Read>
static auto checked(const std::string& context, std::string_view name, std::string_view type,
                    Read read) {
  try {
    return read();
  } catch (const ConfigError& error) {
    mistaken(context, name, "was read as " + std::string(type) + ": " + error.what());
  }
}

void Parameters::read(std::string_view name, bool& out) const {
  out = checked(context_, name, "a boolean", [&] { return raw(name).as_bool(); });
}

void Parameters::read(std::string_view name, std::int64_t& out) const {
  out = checked(context_, name, "an integer", [&] { return raw(name).as_int(); });
}

void Parameters::read(std::string_view name, double& out) const {
  out = checked(context_, name, "a number", [&] { return raw(name).as_double(); });
}

void Parameters::read(std::string_view name, std::string& out) const {
  out = checked(context_, name, "a string", [&] { return raw(name).as_string(); });
}

void Parameters::read(std::string_view name, std::vector<bool>& out) const {
  out = checked(context_, name, "a list of booleans", [&] {
    return elements<bool>(raw(name), [](const ConfigValue& item) { return item.as_bool(); });
  });
}

void Parameters::read(std::string_view name, std::vector<std::int64_t>& out) const {
  out = checked(context_, name, "a list of integers", [&] {
    return elements<std::int64_t>(raw(name), [](const ConfigValue& item) { return item.as_int(); });
  });
}

void Parameters::read(std::string_view name, std::vector<double>& out) const {
  out = checked(context_, name, "a list of numbers", [&] {
    return elements<double>(raw(name), [](const ConfigValue& item) { return item.as_double(); });
  });
}

void Parameters::read(std::string_view name, std::vector<std::string>& out) const {
  out = checked(context_, name, "a list of strings", [&] {
    return elements<std::string>(raw(name),
                                 [](const ConfigValue& item) { return item.as_string(); });
  });
}

void Parameters::read(std::string_view name, std::map<std::int64_t, double>& out) const {
  out = checked(context_, name, "a map of numbers", [&] {
    std::map<std::int64_t, double> map;
    for (const ConfigValue::Member& member : raw(name).as_object()) {
      std::int64_t key = 0;
      const char* end = member.key.data() + member.key.size();
      if (std::from_chars(member.key.data(), end, key).ptr != end) {
        mistaken(context_, name, "was read as a map of numbers: its keys are no integers");
      }
      map[key] = member.value.as_double();
    }
    return map;
  });
}

void Parameters::read(std::string_view name, Parameters& out) const {
  const auto found = std::find(group_names_.begin(), group_names_.end(), name);
  if (found == group_names_.end()) {
    static_cast<void>(raw(name));
    mistaken(context_, name, "was read as a group of parameters, which it is not");
  }
  out = groups_[static_cast<std::size_t>(found - group_names_.begin())];
}

void Parameters::read(std::string_view name, ConfigValue& out) const {
  out = raw(name);
}

}  // namespace grapnel
