// State to JSON and back.
#pragma once

#include <functional>

#include "grapnel/base/json.h"
#include "grapnel/state_dict.h"

namespace grapnel {

// object: what an object becomes; empty: a StateDict of its members.
StateValue state_of(const ConfigValue& value,
                    const std::function<StateValue(const ConfigValue& object)>& object = {});

// A tensor becomes its description. For settings and logs; checkpoints write tensors as such
// (checkpoints/checkpoint_document.h).
ConfigValue config_of(const StateValue& value);

// What a model or data set was made with, its name first: {"name": "mlp", "hidden": [64], ...}.
// parameters: an object.
StateDict hyper_parameters_of(const std::string& name, const ConfigValue& parameters);

}  // namespace grapnel
