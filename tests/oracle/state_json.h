// State trees as JSON, the way the recordings write them: tensors flattened row by row, scalars as
// numbers.
#pragma once

#include <ATen/core/Tensor.h>
#include <grapnel/state_dict.h>

#include "json.h"

namespace grapnel::oracle {

// The elements, row by row; booleans as 0 and 1.
Json tensor_json(const at::Tensor& tensor);

Json state_json(const StateValue& value);

// Null counts as no members.
StateDict state_from_json(const Json& object);

}  // namespace grapnel::oracle
