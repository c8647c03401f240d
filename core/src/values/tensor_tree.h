// Operations on trees of tensors.
#pragma once

#include "grapnel/batch.h"

namespace grapnel {

// The same tree with its tensors detached and on the CPU.
TensorTree on_cpu(const TensorTree& tree);

}  // namespace grapnel
