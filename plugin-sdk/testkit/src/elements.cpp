// Between the doubles of a FakeTensor and the elements of its type.
#include <type_traits>

#include "services.h"

namespace grapnel::testkit {

std::uint64_t dtype_size(std::int32_t dtype) {
  switch (dtype) {
    case GRAPNEL_DTYPE_U8:
    case GRAPNEL_DTYPE_I8:
    case GRAPNEL_DTYPE_BOOL:
      return 1;
    case GRAPNEL_DTYPE_I32:
    case GRAPNEL_DTYPE_F32:
      return 4;
    case GRAPNEL_DTYPE_I64:
    case GRAPNEL_DTYPE_F64:
      return 8;
    default:
      return 0;
  }
}

namespace {

// Calls use with the element; false for a type that the kit doesn't have. Data may be const.
template <class Data, class Use>
bool with_element(std::int32_t dtype, Data* data, std::int64_t index, const Use& use) {
  const auto as = [&](auto example) {
    using Element = decltype(example);
    using Pointer = std::conditional_t<std::is_const_v<Data>, const Element*, Element*>;
    use(static_cast<Pointer>(data)[index]);
    return true;
  };
  switch (dtype) {
    case GRAPNEL_DTYPE_U8:
    case GRAPNEL_DTYPE_BOOL:
      return as(std::uint8_t{});
    case GRAPNEL_DTYPE_I8:
      return as(std::int8_t{});
    case GRAPNEL_DTYPE_I32:
      return as(std::int32_t{});
    case GRAPNEL_DTYPE_I64:
      return as(std::int64_t{});
    case GRAPNEL_DTYPE_F32:
      return as(float{});
    case GRAPNEL_DTYPE_F64:
      return as(double{});
    default:
      return false;
  }
}

}  // namespace

FakeTensorPtr fake_from_data(std::int32_t dtype, const std::int64_t* sizes, std::uint64_t ndim,
                             const void* data, std::uint64_t bytes) {
  auto tensor = std::make_shared<FakeTensor>();
  tensor->dtype = dtype;
  std::int64_t numel = 1;
  for (std::uint64_t i = 0; i < ndim; ++i) {
    if (sizes[i] < 0) return nullptr;
    tensor->sizes.push_back(sizes[i]);
    numel *= sizes[i];
  }
  if (bytes != static_cast<std::uint64_t>(numel) * dtype_size(dtype)) return nullptr;
  for (std::int64_t i = 0; i < numel; ++i) {
    double value = 0;
    if (!with_element(dtype, data, i,
                      [&](const auto& element) { value = static_cast<double>(element); })) {
      return nullptr;
    }
    tensor->values.push_back(value);
  }
  return tensor;
}

bool fake_to_data(const FakeTensor& tensor, void* data, std::uint64_t bytes) {
  if (bytes != tensor.values.size() * dtype_size(tensor.dtype) || dtype_size(tensor.dtype) == 0)
    return false;
  for (std::size_t i = 0; i < tensor.values.size(); ++i) {
    with_element(tensor.dtype, data, static_cast<std::int64_t>(i), [&](auto& element) {
      element = static_cast<std::remove_reference_t<decltype(element)>>(tensor.values[i]);
    });
  }
  return true;
}

}  // namespace grapnel::testkit
