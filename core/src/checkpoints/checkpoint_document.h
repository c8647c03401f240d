// The two halves of a checkpoint: a JSON document and a list of named tensors; see checkpoint.h.
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
  at::Tensor tensor;       // on the CPU, contiguous, of a dtype that the file has
  bool is_shared = false;  // a lazy clone, whose memory is still another tensor's
};

struct CheckpointParts {
  ConfigValue document;
  std::vector<NamedTensor> tensors;
};

// How the parts' tensors are related to those of the checkpoint.
enum class Sharing {
  aliases,   // they share memory where they can: for a file that is written at once
  snapshot,  // later changes of the checkpoint's tensors don't reach them
};

// Throws Error for a tensor that can't be saved, naming its path.
CheckpointParts take_apart(const StateDict& checkpoint, Sharing sharing = Sharing::aliases);

// The inverse. `tensor` returns the file's tensor of a name, and throws when there is none. Throws
// ConfigError when the document has another form.
StateDict put_together(const ConfigValue& document,
                       const std::function<at::Tensor(const std::string& name)>& tensor);

}  // namespace grapnel
