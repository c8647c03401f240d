#include "grapnel/tensor_bytes.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <array>
#include <cstring>

#include "grapnel/base/error.h"
#include "grapnel/base/text.h"

namespace grapnel {

namespace {

struct Dtype {
  c10::ScalarType type;
  const char* name;  // in safetensors files
};

constexpr std::array kDtypes = {
    Dtype{c10::ScalarType::Double, "F64"},
    Dtype{c10::ScalarType::Float, "F32"},
    Dtype{c10::ScalarType::Half, "F16"},
    Dtype{c10::ScalarType::BFloat16, "BF16"},
    Dtype{c10::ScalarType::Float8_e4m3fn, "F8_E4M3"},
    Dtype{c10::ScalarType::Float8_e5m2, "F8_E5M2"},
    Dtype{c10::ScalarType::Long, "I64"},
    Dtype{c10::ScalarType::Int, "I32"},
    Dtype{c10::ScalarType::Short, "I16"},
    Dtype{c10::ScalarType::Char, "I8"},
    Dtype{c10::ScalarType::UInt64, "U64"},
    Dtype{c10::ScalarType::UInt32, "U32"},
    Dtype{c10::ScalarType::UInt16, "U16"},
    Dtype{c10::ScalarType::Byte, "U8"},
    Dtype{c10::ScalarType::Bool, "BOOL"},
};

}  // namespace

TensorView tensor_view(std::string name, const at::Tensor& tensor) {
  for (const Dtype& dtype : kDtypes) {
    if (dtype.type != tensor.scalar_type()) continue;
    const auto* data = static_cast<const std::byte*>(tensor.const_data_ptr());
    return {std::move(name), dtype.name, tensor.sizes().vec(), {data, tensor.nbytes()}};
  }
  throw DataError(
      fmt::format("the tensor {} has the type {}, which safetensors files do not support",
                  quote(name), c10::toString(tensor.scalar_type())));
}

at::Tensor empty_tensor(const TensorEntry& entry) {
  for (const Dtype& dtype : kDtypes) {
    if (entry.dtype == dtype.name) {
      return at::empty(entry.shape, at::TensorOptions().dtype(dtype.type));
    }
  }
  throw DataError(fmt::format("the tensor {} has the type {}, which this LibTorch doesn't know",
                              quote(entry.name), entry.dtype));
}

std::span<std::byte> writable_bytes(const at::Tensor& tensor) {
  return {static_cast<std::byte*>(tensor.mutable_data_ptr()), tensor.nbytes()};
}

at::Tensor tensor_from_bytes(const TensorEntry& entry, std::span<const std::byte> bytes) {
  at::Tensor tensor = empty_tensor(entry);
  if (!bytes.empty()) std::memcpy(tensor.mutable_data_ptr(), bytes.data(), tensor.nbytes());
  return tensor;
}

}  // namespace grapnel
