#include "grapnel/optim/options.h"

#include <fmt/format.h>

#include <cmath>

#include "grapnel/base/error.h"

namespace grapnel {

namespace {

bool is_in_range(double value, const ParameterSpec& spec) {
  if (spec.types.front() == ParameterType::boolean) return value == 0.0 || value == 1.0;
  if (!std::isfinite(value)) return false;
  if (spec.minimum && (value < *spec.minimum || (spec.minimum_excluded && value == *spec.minimum)))
    return false;
  return !spec.maximum ||
         !(value > *spec.maximum || (spec.maximum_excluded && value == *spec.maximum));
}

}  // namespace

TableOptimizer::TableOptimizer(const ParameterTable& table, const ConfigValue& options)
    : table_(table) {
  for (const ConfigValue::Member& option : options.as_object()) {
    defaults_[option.key] =
        option.value.is_bool() ? (option.value.as_bool() ? 1.0 : 0.0) : option.value.as_double();
  }
}

void TableOptimizer::validate(const ParamGroup& group) const {
  Optimizer::validate(group);
  for (const auto& [name, value] : group.options) {
    const ParameterSpec* spec = table_.find(name);
    if (spec == nullptr || is_in_range(value, *spec)) continue;
    const std::string accepted =
        spec->types.front() == ParameterType::boolean ? "0 or 1" : spec->range_text();
    throw ConfigError::of(name, "{}: {} must be {}, found {}", type_name(), name, accepted, value);
  }
}

}  // namespace grapnel
