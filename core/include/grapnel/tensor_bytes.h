// Tensors as safetensors files hold them: a dtype's name, a shape, row-major little-endian bytes.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <span>
#include <string>

#include "grapnel/base/safetensors.h"
#include "grapnel/export.h"

namespace grapnel {

// A view of a contiguous tensor on the CPU, whose memory is borrowed. Throws DataError naming it
// when the format has no such dtype (complex, quantized).
GRAPNEL_CORE_API TensorView tensor_view(std::string name, const at::Tensor& tensor);

// A new tensor of the entry's dtype and shape, not initialized, on the CPU. Throws DataError when
// LibTorch has no such dtype.
GRAPNEL_CORE_API at::Tensor empty_tensor(const TensorEntry& entry);

// The memory of a contiguous tensor on the CPU.
GRAPNEL_CORE_API std::span<std::byte> writable_bytes(const at::Tensor& tensor);

// A new tensor with a copy of the bytes, whose number must match the entry's dtype and shape (as
// SafetensorsFile checks). Throws DataError when LibTorch has no such dtype.
GRAPNEL_CORE_API at::Tensor tensor_from_bytes(const TensorEntry& entry,
                                              std::span<const std::byte> bytes);

}  // namespace grapnel
