#include "tensor_handles.h"

#include <algorithm>
#include <utility>

namespace grapnel::bridge {

bool TensorHandles::may_reuse() const noexcept {
  if (resting_ <= kFewestResting) return false;
  return longest_resting_->freed_in != call_ || resting_ > kMostResting;
}

grapnel_tensor* TensorHandles::take(at::Tensor tensor, HandleState state, bool read_only) {
  grapnel_tensor* handle = longest_resting_;
  if (may_reuse()) {
    longest_resting_ = handle->next_resting;
    handle->next_resting = nullptr;
    --resting_;
  } else {
    handle = &pool_.emplace_back();
    handle->owner = this;
  }
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
  handle->freed_in = call_;
  (resting_ == 0 ? longest_resting_ : latest_resting_->next_resting) = handle;
  latest_resting_ = handle;
  ++resting_;
}

grapnel_tensor* TensorHandles::own(at::Tensor tensor, bool read_only) {
  grapnel_tensor* handle = take(std::move(tensor), HandleState::owned, read_only);
  ++owned_;
  return handle;
}

grapnel_tensor* TensorHandles::borrow(at::Tensor tensor, bool read_only) {
  return take(std::move(tensor), HandleState::borrowed, read_only);
}

void TensorHandles::end_borrow(grapnel_tensor* handle) noexcept {
  if (handle != nullptr && handle->state == HandleState::borrowed) put_back(handle);
}

bool TensorHandles::release(grapnel_tensor* handle) noexcept {
  if (!usable(handle) || handle->owner != this || handle->state != HandleState::owned) return false;
  put_back(handle);
  --owned_;
  return true;
}

void add_memory(const at::Tensor& tensor, std::vector<const void*>& memory) {
  switch (tensor.layout()) {
    case c10::kSparse:
      add_memory(tensor._indices(), memory);
      add_memory(tensor._values(), memory);
      return;
    case c10::kSparseCsr:
    case c10::kSparseCsc:
    case c10::kSparseBsr:
    case c10::kSparseBsc:
      add_memory(tensor.values(), memory);
      return;
    default:
      if (tensor.has_storage()) memory.push_back(tensor.storage().unsafeGetStorageImpl());
      return;
  }
}

bool shares_memory(const at::Tensor& tensor, const std::vector<const void*>& memory) {
  if (memory.empty()) return false;
  std::vector<const void*> own;
  add_memory(tensor, own);
  return std::find_first_of(own.begin(), own.end(), memory.begin(), memory.end()) != own.end();
}

const grapnel_tensor_info* describe(grapnel_tensor& handle) {
  const at::Tensor& tensor = handle.tensor;
  const bool strided = tensor.layout() == c10::kStrided;
  grapnel_tensor_info& info = handle.info;
  info.struct_size = sizeof(grapnel_tensor_info);
  info.dtype = static_cast<std::int32_t>(tensor.scalar_type());
  info.device_type = static_cast<std::int32_t>(tensor.device().type());
  info.device_index = tensor.device().is_cpu() ? -1 : tensor.device().index();
  info.ndim = static_cast<std::uint64_t>(tensor.dim());
  info.sizes = tensor.sizes().data();
  info.strides = strided ? tensor.strides().data() : nullptr;
  info.numel = tensor.numel();
  const bool readable = strided && tensor.device().is_cpu() && tensor.has_storage();
  info.data = readable ? tensor.const_data_ptr() : nullptr;
  info.layout = static_cast<std::int32_t>(tensor.layout());
  return &info;
}

}  // namespace grapnel::bridge
