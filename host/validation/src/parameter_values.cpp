#include "parameter_values.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include <grapnel/base/error.h>

namespace grapnel::validation {
namespace {

constexpr std::size_t max_items = 1000;  // of a list without a limit below

ConfigValue number_of(double value, ParameterType type) {
  if (type == ParameterType::integer || type == ParameterType::integer_list) {
    constexpr double whole = 9007199254740992.0;  // 2^53
    return static_cast<std::int64_t>(std::clamp(value, -whole, whole));
  }
  return value;
}

// The smallest or largest accepted number; nullopt where the parameter declares no such limit.
std::optional<double> limit_of(const ParameterSpec& spec, ParameterType type, bool largest) {
  const std::optional<double>& declared = largest ? spec.maximum : spec.minimum;
  if (!declared) return std::nullopt;
  if (!(largest ? spec.maximum_excluded : spec.minimum_excluded)) return *declared;
  if (type == ParameterType::integer || type == ParameterType::integer_list) {
    return largest ? std::ceil(*declared) - 1 : std::floor(*declared) + 1;
  }
  return std::nextafter(*declared, largest ? -std::numeric_limits<double>::infinity()
                                           : std::numeric_limits<double>::infinity());
}

ConfigValue some_value(const ParameterSpec& spec, ParameterType type, bool largest) {
  switch (type) {
    case ParameterType::boolean:
    case ParameterType::boolean_list:
      return largest;
    case ParameterType::string:
    case ParameterType::string_list:
      if (spec.choices.empty()) return "text";
      return largest ? spec.choices.back() : spec.choices.front();
    default:
      break;
  }
  const auto wanted = limit_of(spec, type, largest);
  const auto other = limit_of(spec, type, !largest);
  return number_of(wanted ? *wanted : other ? *other : 1.0, type);
}

bool is_list(ParameterType type) {
  return type == ParameterType::boolean_list || type == ParameterType::integer_list ||
         type == ParameterType::number_list || type == ParameterType::string_list;
}

// nullopt: the default is as good.
std::optional<ConfigValue> value_of(const ParameterSpec& spec, Parameters which) {
  const ParameterType type = spec.types.front();
  const bool largest = which == Parameters::largest;
  if (which == Parameters::usual) {
    if (!spec.is_required() || spec.is_nullable) return std::nullopt;
  } else if (which == Parameters::null) {
    return spec.is_nullable ? std::optional<ConfigValue>(ConfigValue()) : std::nullopt;
  } else if (is_list(type)) {
    const auto& items = largest ? spec.maximum_items : spec.minimum_items;
    if (!items) return std::nullopt;
  } else if (type == ParameterType::string
                 ? spec.choices.empty()
                 : type != ParameterType::boolean && !limit_of(spec, type, largest)) {
    return std::nullopt;
  }
  if (!is_list(type)) return some_value(spec, type, largest);
  ConfigValue list = ConfigValue::array();
  const std::size_t count =
      largest ? spec.maximum_items.value_or(1) : spec.minimum_items.value_or(0);
  for (std::size_t i = 0; i < std::min(count, max_items); ++i) {
    list.append(some_value(spec, type, largest));
  }
  return list;
}

testkit::RecordingHost::Param to_param(const ConfigValue& value, const ParameterSpec& spec) {
  switch (value.kind()) {
    case ConfigValue::Kind::boolean:
      return value.as_bool();
    case ConfigValue::Kind::integer:
      return value.as_int();
    case ConfigValue::Kind::number:
      return value.as_double();
    case ConfigValue::Kind::string: {
      const bool is_text = std::ranges::find(spec.types, ParameterType::string) != spec.types.end();
      if (!is_text) return value.as_double();  // "inf"
      return value.as_string();
    }
    case ConfigValue::Kind::array:
      break;
    default:
      return std::monostate();
  }
  const auto items = [&](auto read) {
    std::vector<decltype(read(value))> all;
    for (const ConfigValue& item : value.as_array()) all.push_back(read(item));
    return all;
  };
  for (const ParameterType type : spec.types) {
    if (type == ParameterType::boolean_list) {
      return items([](const ConfigValue& item) { return item.as_bool(); });
    }
    if (type == ParameterType::integer_list) {
      return items([](const ConfigValue& item) { return item.as_int(); });
    }
    if (type == ParameterType::number_list) {
      return items([](const ConfigValue& item) { return item.as_double(); });
    }
    if (type == ParameterType::string_list) {
      return items([](const ConfigValue& item) { return std::string(item.as_string()); });
    }
  }
  return std::monostate();
}

}  // namespace

ParameterValues parameter_values(const host::CallbackManifest& callback, Parameters which) {
  ConfigValue given = ConfigValue::object();
  for (const ParameterSpec& spec : callback.parameters.specs()) {
    auto value = value_of(spec, which);
    if (!value && spec.is_required()) value = value_of(spec, Parameters::usual);
    if (value) given.set(spec.name, std::move(*value));
  }
  const grapnel::Parameters checked = callback.parameters.validate(given, callback.name);
  ParameterValues values;
  for (const ParameterSpec& spec : callback.parameters.specs()) {
    values[spec.name] = to_param(checked.values().at(spec.name), spec);
  }
  return values;
}

bool has_other_values(const host::CallbackManifest& callback, Parameters which) {
  return parameter_values(callback, which) != parameter_values(callback, Parameters::usual);
}

}  // namespace grapnel::validation
