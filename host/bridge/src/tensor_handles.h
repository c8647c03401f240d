// Tensors as a plugin holds them: handles from a pool of its instance, counted.
//
// Rules of grapnel/ext/tensors.h: what a function returns is the plugin's to release; what stands in
// an event or in the module's entries is borrowed. Memory of handles is never given back while the
// instance lives, and a handle rests before it stands for another tensor: for what is left of the call
// of the plugin in which it was put back, and until kFewestResting others rest too. So a handle that
// was released too early is noticed instead of read.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include <grapnel/ext/tensors.h>

enum class HandleState : std::uint32_t { free, owned, borrowed };

namespace grapnel::bridge {
class TensorHandles;
}

struct grapnel_tensor {
  static constexpr std::uint32_t kMagic = 0x47544e53;  // what a pointer to a handle points to

  std::uint32_t magic = kMagic;
  HandleState state = HandleState::free;
  // Of a batch or an event: the data set's own memory may lie behind it, so nothing may write to it.
  bool read_only = false;
  bool writing = false;  // between begin_write and end_write
  at::Tensor tensor;
  at::Tensor staging;  // row-major CPU copy that begin_write handed out; undefined when it's direct
  grapnel_tensor_info info{};
  const grapnel::bridge::TensorHandles* owner = nullptr;  // whose pool it stands in
  std::uint64_t freed_in = 0;                             // the call in which it was put back
  grapnel_tensor* next_resting = nullptr;
};

namespace grapnel::bridge {

class TensorHandles {
 public:
  // Handles that rest at least, and at most: beyond those, a call that releases one after the other
  // without end gets its own first ones back.
  static constexpr std::size_t kFewestResting = 64;
  static constexpr std::size_t kMostResting = 65'536;

  TensorHandles() = default;
  TensorHandles(const TensorHandles&) = delete;
  TensorHandles& operator=(const TensorHandles&) = delete;

  // A handle for the plugin to release. `tensor` must be defined.
  grapnel_tensor* own(at::Tensor tensor, bool read_only = false);
  // A handle of the host's, to be ended by end_borrow().
  grapnel_tensor* borrow(at::Tensor tensor, bool read_only = false);
  void end_borrow(grapnel_tensor* handle) noexcept;

  // Another call of the plugin begins.
  void next_call() noexcept { ++call_; }

  // False when the plugin may not release it: not a handle, another instance's, borrowed, or released
  // before.
  bool release(grapnel_tensor* handle) noexcept;

  // Handles that the plugin owns now.
  std::size_t owned() const noexcept { return owned_; }

  static bool usable(const grapnel_tensor* handle) noexcept {
    return handle != nullptr && handle->magic == grapnel_tensor::kMagic &&
           handle->state != HandleState::free;
  }

 private:
  grapnel_tensor* take(at::Tensor tensor, HandleState state, bool read_only);
  void put_back(grapnel_tensor* handle) noexcept;

  bool may_reuse() const noexcept;

  std::deque<grapnel_tensor> pool_;
  // The resting ones, a list through next_resting so that putting back never allocates.
  grapnel_tensor* longest_resting_ = nullptr;
  grapnel_tensor* latest_resting_ = nullptr;
  std::size_t resting_ = 0;
  std::uint64_t call_ = 0;
  std::size_t owned_ = 0;
};

// The memory behind a tensor, of a sparse one that of its parts.
void add_memory(const at::Tensor& tensor, std::vector<const void*>& memory);
// Whether anything behind the tensor is in that memory.
bool shares_memory(const at::Tensor& tensor, const std::vector<const void*>& memory);

// What describe() answers, brought up to date with the tensor behind the handle. The sizes and
// strides point into the tensor.
const grapnel_tensor_info* describe(grapnel_tensor& handle);

}  // namespace grapnel::bridge
