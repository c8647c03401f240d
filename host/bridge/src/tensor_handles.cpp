#include "tensor_handles.h"

#include <utility>

namespace grapnel::bridge {

grapnel_tensor* TensorHandles::take(at::Tensor tensor, HandleState state, bool read_only) {
  if (free_.empty()) {
    pool_.emplace_back();
    free_.reserve(pool_.size());  // so that putting back never allocates
    free_.push_back(&pool_.back());
  }
  grapnel_tensor* handle = free_.back();
  free_.pop_back();
  handle->state = state;
  handle->read_only = read_only;
  handle->tensor = std::move(tensor);
  return handle;
}

void TensorHandles::put_back(grapnel_tensor* handle) noexcept {
  handle->state = HandleState::free;
  handle->writing = false;
  handle->tensor.reset();
  handle->staging.reset();
  free_.push_back(handle);
}

grapnel_tensor* TensorHandles::own(at::Tensor tensor, bool read_only) {
  grapnel_tensor* handle = take(std::move(tensor), HandleState::owned, read_only);
  ++owned_;
  return handle;
}

grapnel_tensor* TensorHandles::borrow(at::Tensor tensor) {
  return take(std::move(tensor), HandleState::borrowed, false);
}

void TensorHandles::end_borrow(grapnel_tensor* handle) noexcept {
  if (handle != nullptr && handle->state == HandleState::borrowed) put_back(handle);
}

bool TensorHandles::release(grapnel_tensor* handle) noexcept {
  if (!usable(handle) || handle->state != HandleState::owned) return false;
  put_back(handle);
  --owned_;
  return true;
}

const grapnel_tensor_info* describe(grapnel_tensor& handle) {
  const at::Tensor& tensor = handle.tensor;
  const bool strided = tensor.layout() == c10::kStrided;
  grapnel_tensor_info& info = handle.info;
  info.struct_size = sizeof(grapnel_tensor_info);
  info.dtype = static_cast<std::int32_t>(tensor.scalar_type());
  info.device_type = static_cast<std::int32_t>(tensor.device().type());
  info.device_index = tensor.device().is_cpu() ? -1 : tensor.device().index();
  info.ndim = tensor.dim();
  info.sizes = tensor.sizes().data();
  info.strides = strided ? tensor.strides().data() : nullptr;
  info.numel = tensor.numel();
  const bool readable = strided && tensor.device().is_cpu() && tensor.has_storage();
  info.data = readable ? tensor.const_data_ptr() : nullptr;
  info.layout = static_cast<std::int32_t>(tensor.layout());
  return &info;
}

}  // namespace grapnel::bridge
