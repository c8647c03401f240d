// JSON as state: what a model or data set was made with, for checkpoints and loggers.
#pragma once

#include "grapnel/base/json.h"
#include "grapnel/state_dict.h"

namespace grapnel {

StateValue state_of(const ConfigValue& value);

// Of an object, with its name first: {"name": "mlp", "hidden": [64], ...}.
StateDict hyper_parameters_of(const std::string& name, const ConfigValue& parameters);

}  // namespace grapnel
