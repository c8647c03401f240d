#include "tensor_handles.h"

#include <ATen/ops/zeros.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <sstream>
#include <utility>

namespace grapnel::bridge {

bool TensorHandles::may_reuse() const noexcept {
  if (resting_ <= kFewestResting) return false;
  return longest_resting_->freed_in != call_ || resting_ > kMostResting;
}

grapnel_tensor& TensorHandles::add() {
  if (used_of_newest_ == kChunk) {
    auto chunk = std::make_unique<Chunk>();
    newest_ = chunk.get();
    const auto place = std::ranges::upper_bound(pool_, chunk, std::less<>(), std::identity());
    pool_.insert(place, std::move(chunk));
    used_of_newest_ = 0;
  }
  return (*newest_)[used_of_newest_++];
}

grapnel_tensor* TensorHandles::find(const grapnel_tensor* pointer) const noexcept {
  const auto address = reinterpret_cast<std::uintptr_t>(pointer);
  const auto start = [](const std::unique_ptr<Chunk>& chunk) {
    return reinterpret_cast<std::uintptr_t>(chunk->data());
  };
  const auto after = std::ranges::upper_bound(pool_, address, std::less<>(), start);
  if (after == pool_.begin()) return nullptr;
  Chunk& chunk = **std::prev(after);
  const std::uintptr_t offset = address - reinterpret_cast<std::uintptr_t>(chunk.data());
  if (offset % sizeof(grapnel_tensor) != 0 || offset / sizeof(grapnel_tensor) >= kChunk) {
    return nullptr;
  }
  grapnel_tensor* handle = &chunk[offset / sizeof(grapnel_tensor)];
  return handle->state == HandleState::free ? nullptr : handle;
}

grapnel_tensor* TensorHandles::take(at::Tensor tensor, HandleState state) {
  grapnel_tensor* handle = longest_resting_;
  if (may_reuse()) {
    longest_resting_ = handle->next_resting;
    handle->next_resting = nullptr;
    --resting_;
  } else {
    handle = &add();
  }
  handle->state = state;
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

grapnel_tensor* TensorHandles::own(at::Tensor tensor) {
  grapnel_tensor* handle = take(std::move(tensor), HandleState::owned);
  ++owned_;
  return handle;
}

grapnel_tensor* TensorHandles::borrow(at::Tensor tensor) {
  return take(std::move(tensor), HandleState::borrowed);
}

void TensorHandles::end_borrow(grapnel_tensor* handle) noexcept {
  if (handle != nullptr && handle->state == HandleState::borrowed) put_back(handle);
}

bool TensorHandles::release(grapnel_tensor* handle) noexcept {
  if (handle->state != HandleState::owned) return false;
  put_back(handle);
  --owned_;
  return true;
}

namespace {

std::string layout_name(const at::Tensor& tensor) {
  std::ostringstream name;
  name << tensor.layout();
  return name.str();
}

}  // namespace

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
  return std::ranges::any_of(
      own, [&](const void* part) { return std::ranges::binary_search(memory, part); });
}

std::string storage_fault(const at::Tensor& tensor, bool dense) {
  if (tensor.is_nested()) return "is nested";
  if (tensor.layout() != c10::kStrided) return "is not strided, but " + layout_name(tensor);
  if (tensor.is_meta()) return "has no data: it is on the meta device";
  if (tensor.is_quantized()) return "is quantized";
  if (!dense) return {};
  if (tensor._is_zerotensor()) return "has no memory of its own; clone it into zeros";
  if (tensor.is_conj() || tensor.is_neg()) return "is a view that changes signs; clone it";
  if (!tensor.is_non_overlapping_and_dense()) {
    return "has elements that share memory, or gaps between them (it is expanded or a slice); clone it";
  }
  return {};
}

at::Tensor alias_of(const at::Tensor& tensor) {
  const c10::TensorImpl& from = *tensor.unsafeGetTensorImpl();
  return at::Tensor(from.shallow_copy_and_detach(from.version_counter(),
                                                 /*allow_tensor_metadata_change=*/false));
}

at::Tensor with_memory(const at::Tensor& tensor) {
  return tensor._is_zerotensor() ? at::zeros(tensor.sizes(), tensor.options()) : tensor;
}

void describe(const at::Tensor& tensor, grapnel_tensor_info& info) {
  const bool strided = tensor.layout() == c10::kStrided;
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
}

}  // namespace grapnel::bridge
