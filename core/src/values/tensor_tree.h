// What is done with trees of tensors in more than one place.
#pragma once

#include "grapnel/batch.h"

namespace grapnel {

// The same tree with its tensors detached and on the CPU.
TensorTree on_cpu(const TensorTree& tree);

}  // namespace grapnel
