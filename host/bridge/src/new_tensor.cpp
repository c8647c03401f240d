#include "new_tensor.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <cstring>
#include <limits>

#include "instance_host.h"

namespace grapnel::bridge {

c10::ScalarType checked_dtype(std::int32_t dtype) {
  switch (dtype) {
    case GRAPNEL_DTYPE_U8:
    case GRAPNEL_DTYPE_I8:
    case GRAPNEL_DTYPE_I16:
    case GRAPNEL_DTYPE_I32:
    case GRAPNEL_DTYPE_I64:
    case GRAPNEL_DTYPE_F16:
    case GRAPNEL_DTYPE_F32:
    case GRAPNEL_DTYPE_F64:
    case GRAPNEL_DTYPE_BOOL:
    case GRAPNEL_DTYPE_BF16:
      return static_cast<c10::ScalarType>(dtype);
    default:
      throw NotSupported{fmt::format("there is no element type {}", dtype)};
  }
}

at::Tensor new_tensor(std::int32_t dtype, const std::int64_t* sizes, std::uint64_t ndim,
                      const void* data, std::uint64_t bytes) {
  constexpr std::uint64_t kMostDimensions = 64;
  const c10::ScalarType type = checked_dtype(dtype);
  if (ndim > kMostDimensions || (ndim > 0 && sizes == nullptr)) {
    throw ContractBreach{
        fmt::format("{} dimensions, at most {} are accepted", ndim, kMostDimensions)};
  }
  std::uint64_t expected = c10::elementSize(type);
  bool fits = true;
  bool is_empty = false;
  for (std::uint64_t i = 0; i < ndim; ++i) {
    if (sizes[i] < 0) throw ContractBreach{fmt::format("a size of {}", sizes[i])};
    const auto size = static_cast<std::uint64_t>(sizes[i]);
    if (size == 0) {
      is_empty = true;  // the other sizes must fit all the same
      continue;
    }
    fits = fits && expected <= std::numeric_limits<std::int64_t>::max() / size;
    if (fits) expected *= size;
  }
  if (is_empty) expected = 0;
  if (!fits || bytes != expected) {
    throw ContractBreach{
        fmt::format("{} bytes given for a tensor of {}", bytes,
                    fits ? std::to_string(expected) : std::string("more than memory holds"))};
  }
  if (bytes > 0 && data == nullptr) throw ContractBreach{"the elements are NULL"};
  const c10::IntArrayRef shape(ndim == 0 ? nullptr : sizes, ndim);
  at::Tensor tensor = at::empty(shape, type);
  if (bytes > 0) std::memcpy(tensor.mutable_data_ptr(), data, bytes);
  return tensor;
}

}  // namespace grapnel::bridge
