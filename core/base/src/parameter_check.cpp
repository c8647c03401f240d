#include "parameter_check.h"

#include <grapnel/base/text.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace grapnel::detail {
namespace {

constexpr ParameterType list_types[] = {ParameterType::boolean_list, ParameterType::integer_list,
                                        ParameterType::number_list, ParameterType::string_list};

std::string_view with_article(ParameterType type) {
  switch (type) {
    case ParameterType::boolean:
      return "true or false";
    case ParameterType::integer:
      return "an integer";
    case ParameterType::number:
      return "a number";
    case ParameterType::string:
      return "a string";
    case ParameterType::duration:
      return "a duration (\"DD:HH:MM:SS\" or seconds)";
    case ParameterType::boolean_list:
      return "a list of true and false";
    case ParameterType::integer_list:
      return "a list of integers";
    case ParameterType::number_list:
      return "a list of numbers";
    case ParameterType::string_list:
      return "a list of strings";
    case ParameterType::number_map:
      return "an object from integers to numbers, such as {\"4\": 0.5}";
    case ParameterType::object:
      return "an object";
    case ParameterType::any:
      return "any value";
  }
  return "a value";
}

std::string accepted_text(const ParameterSpec& spec) {
  std::string out;
  for (const ParameterType type : spec.types) {
    if (!out.empty()) out += " or ";
    out += with_article(type);
  }
  return spec.is_nullable ? out + " or null" : out;
}

std::optional<double> infinity_in(const ConfigValue& value) {
  if (!value.is_string()) return std::nullopt;
  if (value.as_string() == "inf") return HUGE_VAL;
  if (value.as_string() == "-inf") return -HUGE_VAL;
  return std::nullopt;
}

bool fits_scalar(ParameterType type, const ConfigValue& value) {
  switch (type) {
    case ParameterType::boolean:
      return value.is_bool();
    case ParameterType::integer:
      return value.is_integer();
    case ParameterType::number:
      return (value.is_number() && !std::isnan(value.as_double())) || infinity_in(value);
    case ParameterType::string:
      return value.is_string();
    case ParameterType::duration:
      return (value.is_number() && std::isfinite(value.as_double()) && value.as_double() >= 0) ||
             (value.is_string() && parse_duration(value.as_string()));
    default:
      return false;
  }
}

// The type that the value is taken as, by its outer shape; elements are looked at afterwards.
std::optional<ParameterType> choose_type(const ParameterSpec& spec, const ConfigValue& value) {
  if (value.is_integer() && accepts(spec, ParameterType::integer)) return ParameterType::integer;
  std::optional<ParameterType> list;
  for (const ParameterType type : spec.types) {
    if (type == ParameterType::any || fits_scalar(type, value)) return type;
    const bool takes_object = type == ParameterType::number_map || type == ParameterType::object;
    if (takes_object && value.is_object()) return type;
    if (const auto element = element_type(type); element && value.is_array()) {
      const auto& items = value.as_array();
      const bool all_fit = std::all_of(items.begin(), items.end(), [&](const ConfigValue& item) {
        return fits_scalar(*element, item);
      });
      if (all_fit) return type;
      if (!list) list = type;  // the error will name the element that does not fit
    }
  }
  return list;
}

ConfigValue keeping_position(ConfigValue made, const ConfigValue& from) {
  const SourcePosition at = from.position();
  if (!at.file.empty()) {
    made.set_position(std::make_shared<const std::string>(at.file), at.line, at.column);
  }
  return made;
}

class Check {
 public:
  Check(const ParameterSpec& spec, const std::string& key) : spec_(spec), key_(key) {}

  ConfigValue scalar(ParameterType type, const ConfigValue& value) const {
    switch (type) {
      case ParameterType::integer:
        check_range(value.as_double(), value);
        return value;
      case ParameterType::number: {
        const double number =
            infinity_in(value).value_or(value.is_string() ? 0 : value.as_double());
        check_range(number, value);
        return keeping_position(number, value);
      }
      case ParameterType::duration: {
        const double seconds = value.is_string()
                                   ? static_cast<double>(*parse_duration(value.as_string()))
                                   : value.as_double();
        check_range(seconds, value);
        return keeping_position(seconds, value);
      }
      case ParameterType::string:
        check_choice(value);
        return value;
      default:
        return value;
    }
  }

  ConfigValue list(ParameterType element, const ConfigValue& value) const {
    check_count(value);
    ConfigValue out = keeping_position(ConfigValue::array(), value);
    for (std::size_t i = 0; i < value.size(); ++i) {
      const ConfigValue& item = value.as_array()[i];
      if (!fits_scalar(element, item)) {
        throw item.error(key_ + " must be " + accepted_text(spec_) + ", found " + item.describe() +
                             " as element " + std::to_string(i),
                         key_);
      }
      out.append(scalar(element, item));
    }
    return out;
  }

  ConfigValue map(const ConfigValue& value) const {
    check_count(value);
    std::map<std::int64_t, ConfigValue> sorted;
    for (const ConfigValue::Member& member : value.as_object()) {
      std::int64_t number = 0;
      const char* end = member.key.data() + member.key.size();
      const auto parsed = std::from_chars(member.key.data(), end, number);
      if (parsed.ec != std::errc() || parsed.ptr != end || std::to_string(number) != member.key) {
        throw ConfigError(member.key_position(),
                          "the keys of " + key_ + " must be integers, found " + quote(member.key),
                          key_);
      }
      if (!fits_scalar(ParameterType::number, member.value)) {
        throw member.value.error(
            key_ + "." + member.key + " must be a number, found " + member.value.describe(), key_);
      }
      sorted.emplace(number, scalar(ParameterType::number, member.value));
    }
    ConfigValue out = keeping_position(ConfigValue::object(), value);
    for (auto& [number, item] : sorted) out.set(std::to_string(number), std::move(item));
    return out;
  }

  [[noreturn]] void wrong_type(const ConfigValue& value) const {
    throw value.error(key_ + " must be " + accepted_text(spec_) + ", found " + value.describe(),
                      key_);
  }

 private:
  void check_range(double number, const ConfigValue& value) const {
    const bool too_low = spec_.minimum && (number < *spec_.minimum ||
                                           (spec_.minimum_excluded && number == *spec_.minimum));
    const bool too_high = spec_.maximum && (number > *spec_.maximum ||
                                            (spec_.maximum_excluded && number == *spec_.maximum));
    if (too_low || too_high) {
      throw value.error(key_ + " must be " + bounds_text(spec_) + ", found " + value.describe(),
                        key_);
    }
  }

  void check_choice(const ConfigValue& value) const {
    const std::string& text = value.as_string();
    if (spec_.choices.empty()) return;
    if (std::find(spec_.choices.begin(), spec_.choices.end(), text) != spec_.choices.end()) return;
    const auto meant = nearest(text, spec_.choices);
    throw value.error(key_ + " must be " + join_quoted(spec_.choices) + ", found " +
                          value.describe() + did_you_mean(meant),
                      key_, meant.value_or(""));
  }

  void check_count(const ConfigValue& value) const {
    const bool few = spec_.minimum_items && value.size() < *spec_.minimum_items;
    const bool many = spec_.maximum_items && value.size() > *spec_.maximum_items;
    if (few || many) {
      throw value.error(
          key_ + " must have " + items_text(spec_) + ", found " + std::to_string(value.size()),
          key_);
    }
  }

  const ParameterSpec& spec_;
  const std::string& key_;
};

}  // namespace

std::optional<ParameterType> element_type(ParameterType type) {
  switch (type) {
    case ParameterType::boolean_list:
      return ParameterType::boolean;
    case ParameterType::integer_list:
      return ParameterType::integer;
    case ParameterType::number_list:
      return ParameterType::number;
    case ParameterType::string_list:
      return ParameterType::string;
    default:
      return std::nullopt;
  }
}

bool accepts(const ParameterSpec& spec, ParameterType type) {
  return std::find(spec.types.begin(), spec.types.end(), type) != spec.types.end();
}

ConfigValue check_parameter(const ParameterSpec& spec, const ConfigValue& value,
                            const std::string& key, std::optional<Parameters>& group) {
  const Check check(spec, key);
  if (value.is_null() && spec.is_nullable) return value;
  const auto type = choose_type(spec, value);
  if (!type) check.wrong_type(value);
  if (const auto element = element_type(*type)) return check.list(*element, value);
  if (*type == ParameterType::number_map) return check.map(value);
  if (*type == ParameterType::object) {
    group = spec.fields->validate(value, key);
    return keeping_position(group->values(), value);
  }
  return check.scalar(*type, value);
}

std::optional<std::string> mistake_in(const ParameterSpec& spec) {
  const auto is_name = [](std::string_view name) {
    return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    });
  };
  if (!is_name(spec.name)) return quote(spec.name) + " is not a name of letters, digits and '_'";
  const std::string who = "parameter " + quote(spec.name);
  if (spec.meaning.empty()) return who + " lacks a sentence about its meaning";
  if (spec.types.empty()) return who + " accepts no type";
  if (accepts(spec, ParameterType::object) != (spec.fields != nullptr)) {
    return who + " needs a table of fields if, and only if, it is an object";
  }
  const bool is_empty =
      spec.minimum && spec.maximum &&
      (*spec.minimum > *spec.maximum ||
       (*spec.minimum == *spec.maximum && (spec.minimum_excluded || spec.maximum_excluded)));
  if (is_empty) return who + " has an empty range";
  if (spec.minimum_items && spec.maximum_items && *spec.minimum_items > *spec.maximum_items) {
    return who + " accepts no number of items";
  }
  const bool takes_text =
      accepts(spec, ParameterType::string) || accepts(spec, ParameterType::string_list);
  if (!spec.choices.empty() && !takes_text) return who + " has choices, but is no string";
  const bool takes_items = accepts(spec, ParameterType::number_map) ||
                           std::any_of(std::begin(list_types), std::end(list_types),
                                       [&](ParameterType type) { return accepts(spec, type); });
  if ((spec.minimum_items || spec.maximum_items) && !takes_items) {
    return who + " has a number of items, but is no list";
  }
  return std::nullopt;
}

}  // namespace grapnel::detail
