// A CPU tensor with a copy of elements that a plugin describes by dtype, sizes and bytes.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace grapnel::bridge {

// ContractBreach for an unknown dtype, a negative size, or bytes that don't match.
at::Tensor new_tensor(std::int32_t dtype, const std::int64_t* sizes, std::uint64_t ndim,
                      const void* data, std::uint64_t bytes);

// The element type of a number of grapnel/ext/tensors.h; ContractBreach for any other.
c10::ScalarType checked_dtype(std::int32_t dtype);

}  // namespace grapnel::bridge
