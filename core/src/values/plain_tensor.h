// Tensors whose elements can be read from memory as they are.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/DispatchKeySet.h>

namespace grapnel {

// Elements that lie in memory as they are, row by row, on the CPU: reading them there takes a fraction
// of the time of an operator.
inline bool is_plain(const at::Tensor& tensor) {
  using Key = c10::DispatchKey;
  constexpr c10::DispatchKeySet kWrapped({Key::Conjugate, Key::Negative, Key::ZeroTensor,
                                          Key::Python, Key::PythonTLSSnapshot, Key::Functionalize,
                                          Key::FuncTorchBatched, Key::FuncTorchGradWrapper,
                                          Key::NestedTensor, Key::Quantized, Key::Sparse});
  return tensor.device().is_cpu() && tensor.layout() == c10::kStrided && tensor.has_storage() &&
         tensor.is_contiguous() && !tensor.key_set().has_any(kWrapped);
}

}  // namespace grapnel
