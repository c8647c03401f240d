// Copies that cost nothing until one side is written to, by LibTorch's lazy clones.
#pragma once

#include <ATen/core/Tensor.h>

#include "grapnel/export.h"

namespace grapnel {

struct DetachedCopy {
  at::Tensor tensor;     // outside of any autograd graph
  bool is_lazy = false;  // it shares memory until one side is written to
};

// A tensor that doesn't change with `tensor`, nor the other way round. Lazy where LibTorch owns the
// memory and the tensor is most of it; else copied now: a write to a small part of a large memory
// would otherwise make LibTorch copy all of it. `tensor` must be defined.
GRAPNEL_CORE_API DetachedCopy detached_copy(const at::Tensor& tensor);

}  // namespace grapnel
