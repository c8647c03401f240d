// A table in the form that plugins' manifests declare it, both ways.
#include <grapnel/base/parameters.h>
#include <grapnel/base/text.h>

#include <algorithm>
#include <array>

#include "parameter_check.h"

namespace grapnel {
namespace {

constexpr std::array<std::string_view, 14> known_keys = {
    "type",    "doc",        "default",           "nullable",      "minimum",
    "maximum", "choices",    "exclusive_minimum", "minimum_items", "exclusive_maximum",
    "unit",    "parameters", "maximum_items",     "identifying"};

ParameterType read_type(const ConfigValue& value) {
  const std::string& name = value.as_string("type");
  if (const auto type = detail::parameter_type_named(name)) return *type;
  const std::vector<std::string> known = detail::parameter_type_names();
  const auto meant = nearest(name, known);
  throw value.error("unknown type " + quote(name) + did_you_mean(meant) + " Types: " + join(known),
                    "type", meant.value_or(""));
}

std::vector<ParameterType> read_types(const ConfigValue& value) {
  if (!value.is_array()) return {read_type(value)};
  std::vector<ParameterType> types;
  for (const ConfigValue& item : value.as_array()) types.push_back(read_type(item));
  return types;
}

std::size_t read_count(const ConfigValue& value, std::string_view name) {
  const std::int64_t count = value.as_int(name);
  if (count < 0) throw value.error(quote(name) + " must be at least 0", std::string(name));
  return static_cast<std::size_t>(count);
}

void read_range(ParameterSpec& spec, const ConfigValue& value) {
  const auto bound = [&](std::string_view inclusive, std::string_view exclusive,
                         std::optional<double>& limit, bool& excluded) {
    const ConfigValue* plain = value.find(inclusive);
    const ConfigValue* strict = value.find(exclusive);
    if (plain != nullptr && strict != nullptr) {
      throw strict->error(quote(inclusive) + " and " + quote(exclusive) +
                          " exclude one another; keep one of them");
    }
    if (plain != nullptr) limit = plain->as_double(inclusive);
    if (strict != nullptr) limit = strict->as_double(exclusive);
    excluded = strict != nullptr;
  };
  bound("minimum", "exclusive_minimum", spec.minimum, spec.minimum_excluded);
  bound("maximum", "exclusive_maximum", spec.maximum, spec.maximum_excluded);
  if (const auto* count = value.find("minimum_items")) {
    spec.minimum_items = read_count(*count, "minimum_items");
  }
  if (const auto* count = value.find("maximum_items")) {
    spec.maximum_items = read_count(*count, "maximum_items");
  }
}

ParameterSpec read_spec(const ConfigValue::Member& member, std::vector<std::string>* warnings) {
  const ConfigValue& value = member.value;
  ParameterSpec spec;
  spec.name = member.key;
  for (const ConfigValue::Member& entry : value.as_object(member.key)) {
    const bool known =
        std::find(known_keys.begin(), known_keys.end(), entry.key) != known_keys.end();
    if (!known && warnings != nullptr) {
      warnings->push_back(entry.key_position().to_string() + ": unknown key " + quote(entry.key) +
                          " of parameter " + quote(spec.name) + " is ignored");
    }
  }
  spec.types = read_types(value.at("type"));
  spec.meaning = value.at("doc").as_string("doc");
  if (const auto* unit = value.find("unit")) spec.unit_name = unit->as_string("unit");
  if (const auto* nullable = value.find("nullable")) {
    spec.is_nullable = nullable->as_bool("nullable");
  }
  if (const auto* identifying = value.find("identifying")) {
    spec.is_identifying = identifying->as_bool("identifying");
  }
  if (const auto* choices = value.find("choices")) {
    for (const ConfigValue& choice : choices->as_array("choices")) {
      spec.choices.push_back(choice.as_string("choices"));
    }
  }
  read_range(spec, value);
  if (const auto* fields = value.find("parameters")) {
    spec.fields = std::make_shared<const ParameterTable>(
        ParameterTable::from_manifest(*fields, spec.name, spec.meaning, warnings));
  }
  if (const auto* fallback = value.find("default")) {
    spec.default_value = *fallback;
  } else if (spec.is_nullable) {
    spec.default_value = ConfigValue();
  }
  if (const auto mistake = detail::mistake_in(spec)) {
    throw ConfigError(member.key_position(), *mistake, spec.name);
  }
  if (spec.default_value) {
    std::optional<Parameters> group;
    detail::check_parameter(spec, *spec.default_value, spec.name, group);
  }
  return spec;
}

}  // namespace

ParameterTable ParameterTable::from_manifest(const ConfigValue& value, std::string name,
                                             std::string summary,
                                             std::vector<std::string>* warnings) {
  std::vector<ParameterSpec> specs;
  for (const ConfigValue::Member& member : value.as_object("parameters")) {
    specs.push_back(read_spec(member, warnings));
  }
  return {std::move(name), std::move(summary), std::move(specs)};
}

ConfigValue ParameterTable::to_manifest() const {
  ConfigValue manifest = ConfigValue::object();
  for (const ParameterSpec& spec : specs_) {
    ConfigValue& entry = manifest.set(spec.name, ConfigValue::object());
    ConfigValue types = ConfigValue::array();
    for (const ParameterType type : spec.types) types.append(to_string(type));
    entry.set("type", types.size() == 1 ? types.as_array().front() : types);
    if (spec.default_value) entry.set("default", *spec.default_value);
    if (spec.is_nullable) entry.set("nullable", true);
    if (spec.minimum) {
      entry.set(spec.minimum_excluded ? "exclusive_minimum" : "minimum",
                detail::plain_number(*spec.minimum));
    }
    if (spec.maximum) {
      entry.set(spec.maximum_excluded ? "exclusive_maximum" : "maximum",
                detail::plain_number(*spec.maximum));
    }
    if (!spec.choices.empty()) entry.set("choices", ConfigValue(spec.choices));
    if (spec.minimum_items) entry.set("minimum_items", *spec.minimum_items);
    if (spec.maximum_items) entry.set("maximum_items", *spec.maximum_items);
    if (!spec.unit_name.empty()) entry.set("unit", spec.unit_name);
    if (spec.is_identifying) entry.set("identifying", true);
    if (spec.fields) entry.set("parameters", spec.fields->to_manifest());
    entry.set("doc", spec.meaning);
  }
  return manifest;
}

}  // namespace grapnel
