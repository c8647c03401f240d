// The two halves of a checkpoint: a JSON document and a list of named tensors. See checkpoint.h for
// their form.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <vector>

#include "grapnel/base/json.h"
#include "grapnel/state_dict.h"

namespace grapnel {

struct NamedTensor {
  std::string name;
  at::Tensor tensor;  // on the CPU, contiguous, of a dtype that the file has
};

struct CheckpointParts {
  ConfigValue document;
  std::vector<NamedTensor> tensors;
};

// Throws Error, naming where a tensor stands that can't be saved.
CheckpointParts take_apart(const StateDict& checkpoint);

// The inverse. `tensor` gives the file's tensor of a name, and throws when there is none. Throws
// ConfigError when the document is not one.
StateDict put_together(const ConfigValue& document,
                       const std::function<at::Tensor(const std::string& name)>& tensor);

}  // namespace grapnel
