// Rows of a table: making them and describing them.
#include <grapnel/base/parameters.h>
#include <grapnel/base/text.h>

#include <array>
#include <charconv>
#include <cmath>

#include "parameter_check.h"

namespace grapnel {
namespace {

struct TypeName {
  ParameterType type;
  std::string_view name;
};

constexpr std::array<TypeName, 12> type_names = {{
    {ParameterType::boolean, "boolean"},
    {ParameterType::integer, "integer"},
    {ParameterType::number, "number"},
    {ParameterType::string, "string"},
    {ParameterType::duration, "duration"},
    {ParameterType::boolean_list, "list of boolean"},
    {ParameterType::integer_list, "list of integer"},
    {ParameterType::number_list, "list of number"},
    {ParameterType::string_list, "list of string"},
    {ParameterType::number_map, "map of number"},
    {ParameterType::object, "object"},
    {ParameterType::any, "any"},
}};

ParameterSpec row(ParameterType type, std::string name) {
  ParameterSpec spec;
  spec.name = std::move(name);
  spec.types = {type};
  return spec;
}

ParameterSpec row(ParameterType type, std::string name, ConfigValue fallback) {
  ParameterSpec spec = row(type, std::move(name));
  spec.default_value = std::move(fallback);
  return spec;
}

}  // namespace

std::string_view to_string(ParameterType type) noexcept {
  for (const TypeName& entry : type_names) {
    if (entry.type == type) return entry.name;
  }
  return "any";
}

namespace detail {

std::optional<ParameterType> parameter_type_named(std::string_view name) {
  for (const TypeName& entry : type_names) {
    if (entry.name == name) return entry.type;
  }
  return std::nullopt;
}

std::vector<std::string> parameter_type_names() {
  std::vector<std::string> names;
  for (const TypeName& entry : type_names) names.emplace_back(entry.name);
  return names;
}

std::string with_subject(std::string_view name, std::string_view text) {
  const std::string_view between = text.starts_with("must ") ? " " : ": ";
  return std::string(name).append(between).append(text);
}

std::string number_text(double value) {
  std::array<char, 32> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  return {buffer.data(), end.ptr};
}

ConfigValue plain_number(double value) {
  constexpr double exact = 9007199254740992.0;  // 2^53
  if (std::abs(value) <= exact && std::trunc(value) == value) {
    return static_cast<std::int64_t>(value);
  }
  return value;
}

std::string bounds_text(const ParameterSpec& spec) {
  std::vector<std::string> parts;
  if (spec.minimum) {
    parts.push_back((spec.minimum_excluded ? "above " : "at least ") + number_text(*spec.minimum));
  }
  if (spec.maximum) {
    parts.push_back((spec.maximum_excluded ? "below " : "at most ") + number_text(*spec.maximum));
  }
  return join(parts, " and ");
}

std::string items_text(const ParameterSpec& spec) {
  const auto& least = spec.minimum_items;
  const auto& most = spec.maximum_items;
  if (least && most && *least == *most) return std::to_string(*least) + " items";
  if (least && most) return std::to_string(*least) + " to " + std::to_string(*most) + " items";
  if (least) return "at least " + std::to_string(*least) + " items";
  if (most) return "at most " + std::to_string(*most) + " items";
  return {};
}

}  // namespace detail

ParameterSpec& ParameterSpec::doc(std::string sentence) {
  meaning = std::move(sentence);
  return *this;
}

ParameterSpec& ParameterSpec::unit(std::string name_of_unit) {
  unit_name = std::move(name_of_unit);
  return *this;
}

ParameterSpec& ParameterSpec::nullable() {
  is_nullable = true;
  // A group that may be null is absent unless it is given.
  if (!default_value || fields) default_value = ConfigValue();
  return *this;
}

ParameterSpec& ParameterSpec::at_least(double value) {
  minimum = value;
  minimum_excluded = false;
  return *this;
}

ParameterSpec& ParameterSpec::above(double value) {
  minimum = value;
  minimum_excluded = true;
  return *this;
}

ParameterSpec& ParameterSpec::at_most(double value) {
  maximum = value;
  maximum_excluded = false;
  return *this;
}

ParameterSpec& ParameterSpec::below(double value) {
  maximum = value;
  maximum_excluded = true;
  return *this;
}

ParameterSpec& ParameterSpec::one_of(std::vector<std::string> accepted) {
  choices = std::move(accepted);
  return *this;
}

ParameterSpec& ParameterSpec::items(std::size_t at_least_count, std::size_t at_most_count) {
  minimum_items = at_least_count;
  maximum_items = at_most_count;
  return *this;
}

ParameterSpec& ParameterSpec::identifying() {
  is_identifying = true;
  return *this;
}

std::string ParameterSpec::type_text() const {
  std::string out;
  for (const ParameterType type : types) {
    if (!out.empty()) out += " or ";
    out += to_string(type);
  }
  return is_nullable ? out + " or null" : out;
}

std::string ParameterSpec::range_text() const {
  std::vector<std::string> parts;
  if (std::string text = detail::bounds_text(*this); !text.empty()) parts.push_back(text);
  if (!choices.empty()) parts.push_back("one of " + join_quoted(choices));
  if (std::string text = detail::items_text(*this); !text.empty()) parts.push_back(text);
  return join(parts, " and ");
}

namespace parameter {

ParameterSpec boolean(std::string name) {
  return row(ParameterType::boolean, std::move(name));
}
ParameterSpec boolean(std::string name, bool fallback) {
  return row(ParameterType::boolean, std::move(name), fallback);
}
ParameterSpec integer(std::string name) {
  return row(ParameterType::integer, std::move(name));
}
ParameterSpec integer(std::string name, std::int64_t fallback) {
  return row(ParameterType::integer, std::move(name), fallback);
}
ParameterSpec number(std::string name) {
  return row(ParameterType::number, std::move(name));
}
ParameterSpec number(std::string name, double fallback) {
  return row(ParameterType::number, std::move(name), fallback);
}
ParameterSpec string(std::string name) {
  return row(ParameterType::string, std::move(name));
}
ParameterSpec string(std::string name, std::string fallback) {
  return row(ParameterType::string, std::move(name), std::move(fallback));
}
ParameterSpec duration(std::string name) {
  return row(ParameterType::duration, std::move(name));
}
ParameterSpec duration(std::string name, std::string fallback) {
  return row(ParameterType::duration, std::move(name), std::move(fallback));
}
ParameterSpec boolean_list(std::string name) {
  return row(ParameterType::boolean_list, std::move(name));
}
ParameterSpec boolean_list(std::string name, std::vector<bool> fallback) {
  return row(ParameterType::boolean_list, std::move(name), fallback);
}
ParameterSpec integer_list(std::string name) {
  return row(ParameterType::integer_list, std::move(name));
}
ParameterSpec integer_list(std::string name, std::vector<std::int64_t> fallback) {
  return row(ParameterType::integer_list, std::move(name), fallback);
}
ParameterSpec number_list(std::string name) {
  return row(ParameterType::number_list, std::move(name));
}
ParameterSpec number_list(std::string name, std::vector<double> fallback) {
  return row(ParameterType::number_list, std::move(name), fallback);
}
ParameterSpec string_list(std::string name) {
  return row(ParameterType::string_list, std::move(name));
}
ParameterSpec string_list(std::string name, std::vector<std::string> fallback) {
  return row(ParameterType::string_list, std::move(name), fallback);
}
ParameterSpec number_map(std::string name) {
  return row(ParameterType::number_map, std::move(name));
}
ParameterSpec number_map(std::string name, std::map<std::int64_t, double> fallback) {
  ConfigValue value = ConfigValue::object();
  for (const auto& [key, number] : fallback) value.set(std::to_string(key), number);
  return row(ParameterType::number_map, std::move(name), std::move(value));
}

ParameterSpec object(std::string name, ParameterTable fields) {
  ParameterSpec spec = row(ParameterType::object, std::move(name));
  bool any_required = false;
  for (const ParameterSpec& field : fields.specs()) any_required |= field.is_required();
  if (!any_required) spec.default_value = ConfigValue::object();
  spec.fields = std::make_shared<const ParameterTable>(std::move(fields));
  return spec;
}

ParameterSpec any(std::string name) {
  return row(ParameterType::any, std::move(name));
}
ParameterSpec any(std::string name, ConfigValue fallback) {
  return row(ParameterType::any, std::move(name), std::move(fallback));
}

ParameterSpec either(std::vector<ParameterType> types, std::string name) {
  ParameterSpec spec;
  spec.name = std::move(name);
  spec.types = std::move(types);
  return spec;
}
ParameterSpec either(std::vector<ParameterType> types, std::string name, ConfigValue fallback) {
  ParameterSpec spec = either(std::move(types), std::move(name));
  spec.default_value = std::move(fallback);
  return spec;
}

}  // namespace parameter
}  // namespace grapnel
