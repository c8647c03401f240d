// Metrics and hyper-parameters as text.
#pragma once

#include <string>
#include <string_view>

#include "grapnel/base/json.h"
#include "grapnel/state_dict.h"

namespace grapnel {

// As Python writes it: "0.25", "nan", "3.0"; "epoch" is a whole number: "3".
std::string metric_text(std::string_view name, double value);
// The same as a JSON value.
ConfigValue metric_json(std::string_view name, double value);

// Settings as a YAML document.
std::string settings_yaml(const StateDict& settings);

}  // namespace grapnel
