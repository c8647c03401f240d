// A table as help for people and as a JSON schema for editors.
#include <grapnel/base/parameters.h>
#include <grapnel/base/text.h>
#include <grapnel/base/text_table.h>

#include <algorithm>

#include "parameter_check.h"

namespace grapnel {
namespace {

std::string default_text(const ParameterSpec& spec) {
  if (spec.is_required()) return "required";
  const ConfigValue& value = *spec.default_value;
  if (value.kind() == ConfigValue::Kind::number) {
    return "default " + detail::number_text(value.as_double());
  }
  return "default " + write_json(value);
}

ConfigValue schema_of(const ParameterSpec& spec, ParameterType type);

void add_bounds(ConfigValue& schema, const ParameterSpec& spec) {
  if (spec.minimum) {
    schema.set(spec.minimum_excluded ? "exclusiveMinimum" : "minimum",
               detail::plain_number(*spec.minimum));
  }
  if (spec.maximum) {
    schema.set(spec.maximum_excluded ? "exclusiveMaximum" : "maximum",
               detail::plain_number(*spec.maximum));
  }
}

ConfigValue any_of(std::vector<ConfigValue> alternatives) {
  if (alternatives.size() == 1) return alternatives.front();
  ConfigValue schema = ConfigValue::object();
  schema.set("anyOf", ConfigValue(std::move(alternatives)));
  return schema;
}

ConfigValue typed(std::string_view type) {
  ConfigValue schema = ConfigValue::object();
  schema.set("type", type);
  return schema;
}

ConfigValue number_schema(const ParameterSpec& spec) {
  ConfigValue number = typed("number");
  add_bounds(number, spec);
  ConfigValue infinities = ConfigValue::array();
  if (!spec.maximum) infinities.append("inf");
  if (!spec.minimum) infinities.append("-inf");
  if (infinities.size() == 0) return number;
  ConfigValue words = ConfigValue::object();
  words.set("enum", std::move(infinities));
  return any_of({std::move(number), std::move(words)});
}

ConfigValue list_schema(const ParameterSpec& spec, ParameterType element) {
  ConfigValue schema = typed("array");
  schema.set("items", schema_of(spec, element));
  if (spec.minimum_items) schema.set("minItems", *spec.minimum_items);
  if (spec.maximum_items) schema.set("maxItems", *spec.maximum_items);
  return schema;
}

ConfigValue map_schema(const ParameterSpec& spec) {
  ConfigValue schema = typed("object");
  schema.set("propertyNames", ConfigValue::object()).set("pattern", "^(0|-?[1-9][0-9]*)$");
  schema.set("additionalProperties", number_schema(spec));
  if (spec.minimum_items) schema.set("minProperties", *spec.minimum_items);
  if (spec.maximum_items) schema.set("maxProperties", *spec.maximum_items);
  return schema;
}

ConfigValue duration_schema(const ParameterSpec& spec) {
  ConfigValue text = typed("string");
  text.set("pattern", "^ *[0-9]+:([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9] *$");
  ConfigValue seconds = typed("number");
  seconds.set("minimum", 0);
  add_bounds(seconds, spec);
  return any_of({std::move(text), std::move(seconds)});
}

ConfigValue schema_of(const ParameterSpec& spec, ParameterType type) {
  if (const auto element = detail::element_type(type)) return list_schema(spec, *element);
  switch (type) {
    case ParameterType::boolean:
      return typed("boolean");
    case ParameterType::integer: {
      ConfigValue schema = typed("integer");
      add_bounds(schema, spec);
      return schema;
    }
    case ParameterType::number:
      return number_schema(spec);
    case ParameterType::string: {
      ConfigValue schema = typed("string");
      if (!spec.choices.empty()) schema.set("enum", ConfigValue(spec.choices));
      return schema;
    }
    case ParameterType::duration:
      return duration_schema(spec);
    case ParameterType::number_map:
      return map_schema(spec);
    case ParameterType::object: {
      ConfigValue schema = spec.fields->to_schema();
      schema.erase("$schema");
      return schema;
    }
    default:
      return ConfigValue::object();  // everything
  }
}

}  // namespace

std::string ParameterTable::to_help(std::size_t indent, std::size_t width) const {
  const auto columns = static_cast<int>(width), margin = static_cast<int>(indent);
  std::string out;
  for (const ParameterSpec& spec : specs_) {
    std::vector<std::string> facts = {spec.type_text(), default_text(spec)};
    if (const std::string range = spec.range_text(); !range.empty()) facts.push_back(range);
    if (!spec.unit_name.empty()) facts.push_back("in " + spec.unit_name);
    out += wrap(spec.name + ": " + printable(join(facts)), columns, margin);
    out += wrap(printable(spec.meaning), columns, margin + 4);
    if (spec.fields) out += spec.fields->to_help(indent + 4, width);
  }
  return out;
}

ConfigValue ParameterTable::to_schema() const {
  ConfigValue schema = ConfigValue::object();
  schema.set("$schema", "https://json-schema.org/draft/2020-12/schema");
  schema.set("title", name_);
  if (!summary_.empty()) schema.set("description", summary_);
  schema.set("type", "object");
  ConfigValue properties = ConfigValue::object();
  ConfigValue required = ConfigValue::array();
  for (const ParameterSpec& spec : specs_) {
    std::vector<ConfigValue> alternatives;
    for (const ParameterType type : spec.types) alternatives.push_back(schema_of(spec, type));
    if (spec.is_nullable) alternatives.push_back(typed("null"));
    ConfigValue property = any_of(std::move(alternatives));
    property.set("description", spec.unit_name.empty()
                                    ? spec.meaning
                                    : spec.meaning + " Unit: " + spec.unit_name + ".");
    if (spec.default_value) property.set("default", *spec.default_value);
    properties.set(spec.name, std::move(property));
    if (spec.is_required()) required.append(spec.name);
  }
  schema.set("properties", std::move(properties));
  if (required.size() > 0) schema.set("required", std::move(required));
  schema.set("additionalProperties", false);
  return schema;
}

}  // namespace grapnel
