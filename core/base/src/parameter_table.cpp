// ParameterTable: checking its own consistency, and objects against it.
#include <grapnel/base/parameters.h>
#include <grapnel/base/text.h>

#include <algorithm>
#include <stdexcept>

#include "parameter_check.h"

namespace grapnel {
namespace {

std::string dotted(std::string_view context, std::string_view name) {
  return context.empty() ? std::string(name) : std::string(context) + "." + std::string(name);
}

}  // namespace

ParameterTable::ParameterTable(std::string name, std::string summary,
                               std::vector<ParameterSpec> specs)
    : name_(std::move(name)), summary_(std::move(summary)), specs_(std::move(specs)) {
  for (auto spec = specs_.begin(); spec != specs_.end(); ++spec) {
    if (const auto mistake = detail::mistake_in(*spec)) {
      throw std::logic_error("table " + quote(name_) + ": " + *mistake);
    }
    const auto same_name = [&](const ParameterSpec& other) { return other.name == spec->name; };
    if (std::any_of(specs_.begin(), spec, same_name)) {
      throw std::logic_error("table " + quote(name_) + ": parameter " + quote(spec->name) +
                             " is in it twice");
    }
    if (!spec->default_value) continue;
    try {
      std::optional<Parameters> group;
      detail::check_parameter(*spec, *spec->default_value, spec->name, group);
    } catch (const ConfigError& error) {
      throw std::logic_error("table " + quote(name_) + ": bad default: " + error.what());
    }
  }
}

const ParameterSpec* ParameterTable::find(std::string_view name) const noexcept {
  for (const ParameterSpec& spec : specs_) {
    if (spec.name == name) return &spec;
  }
  return nullptr;
}

std::vector<std::string> ParameterTable::names() const {
  std::vector<std::string> names;
  for (const ParameterSpec& spec : specs_) names.push_back(spec.name);
  return names;
}

Parameters ParameterTable::validate(const ConfigValue& value, std::string_view context) const {
  const std::string where = context.empty() ? "the configuration" : std::string(context);
  if (!value.is_object() && !value.is_null()) {
    throw value.error(where + " must be an object, found " + value.describe(),
                      std::string(context));
  }
  if (value.is_object()) {
    for (const ConfigValue::Member& member : value.as_object()) {
      if (find(member.key) != nullptr) continue;
      const std::vector<std::string> known = names();
      const auto meant = nearest(member.key, known);
      std::string text = "unknown key " + quote(member.key) + " in " + where;
      text += did_you_mean(meant);
      text += known.empty() ? "; it takes no parameters"
                            : (meant ? " Known: " : "; known: ") + join(known);
      throw ConfigError(member.key_position(), text, dotted(context, member.key),
                        meant.value_or(""));
    }
  }

  Parameters out;
  out.context_ = std::string(context);
  out.position_ = value.position();
  for (const ParameterSpec& spec : specs_) {
    const ConfigValue* given = value.find(spec.name);
    const std::string key = dotted(context, spec.name);
    if (given == nullptr && !spec.default_value) {
      throw value.error("the key " + quote(spec.name) + " is required in " + where + " (" +
                            spec.type_text() + "): " + spec.meaning,
                        key);
    }
    if (given != nullptr) out.given_.push_back(spec.name);
    std::optional<Parameters> group;
    out.values_.set(
        spec.name, detail::check_parameter(spec, given ? *given : *spec.default_value, key, group));
    if (group) {
      if (given == nullptr) group->position_ = out.position_;
      out.group_names_.push_back(spec.name);
      out.groups_.push_back(std::move(*group));
    }
  }
  return out;
}

Parameters ParameterTable::defaults(std::string_view context) const {
  return validate(ConfigValue::object(), context);
}

}  // namespace grapnel
