// Handles of tensors for a plugin, from a pool of its instance.
//
// Ownership (grapnel/ext/tensors.h): the plugin releases handles that a function returns; those in
// an event or in the module's entries are borrowed. A handle from a plugin is looked up by its
// address before anything is read through it, so a garbage pointer or another instance's handle is
// refused. The memory of handles is not freed while the instance lives, and a released handle is
// not reused before the current call of the plugin has returned and kFewestResting others rest too.
// So the use of a handle after its release is detected.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <grapnel/ext/tensors.h>

enum class HandleState : std::uint32_t { free, owned, borrowed };

struct grapnel_tensor {
  HandleState state = HandleState::free;
  bool writing = false;  // between begin_write and end_write
  at::Tensor tensor;
  at::Tensor
      staging;  // row-major CPU copy given by begin_write; undefined: the tensor's own memory
  grapnel_tensor_info info{};
  std::uint64_t freed_in = 0;  // the call that released it
  grapnel_tensor* next_resting = nullptr;
};

namespace grapnel::bridge {

class TensorHandles {
 public:
  // The least and most handles that rest. Beyond the most, a call that keeps releasing handles gets
  // its own first ones back.
  static constexpr std::size_t kFewestResting = 64;
  static constexpr std::size_t kMostResting = 65'536;

  TensorHandles() = default;
  TensorHandles(const TensorHandles&) = delete;
  TensorHandles& operator=(const TensorHandles&) = delete;

  // A handle for the plugin to release. `tensor` must be defined.
  grapnel_tensor* own(at::Tensor tensor);
  // A handle of the host, until end_borrow().
  grapnel_tensor* borrow(at::Tensor tensor);
  void end_borrow(grapnel_tensor* handle) noexcept;

  // A new call of the plugin begins.
  void next_call() noexcept { ++call_; }

  // The handle behind a plugin's pointer; nullptr for any other pointer and a released handle.
  grapnel_tensor* find(const grapnel_tensor* pointer) const noexcept;
  // False when the plugin may not release it: it is borrowed. `handle` is from find().
  bool release(grapnel_tensor* handle) noexcept;

  // Handles that the plugin owns now.
  std::size_t owned() const noexcept { return owned_; }

 private:
  static constexpr std::size_t kChunk = 128;
  using Chunk = std::array<grapnel_tensor, kChunk>;

  grapnel_tensor* take(at::Tensor tensor, HandleState state);
  grapnel_tensor& add();
  void put_back(grapnel_tensor* handle) noexcept;

  bool may_reuse() const noexcept;

  std::vector<std::unique_ptr<Chunk>> pool_;  // sorted by address
  std::size_t used_of_newest_ = kChunk;
  Chunk* newest_ = nullptr;
  // The resting handles, an intrusive list so that a release never allocates.
  grapnel_tensor* longest_resting_ = nullptr;
  grapnel_tensor* latest_resting_ = nullptr;
  std::size_t resting_ = 0;
  std::uint64_t call_ = 0;
  std::size_t owned_ = 0;
};

// The memory of a tensor; for a sparse one, of its parts.
void add_memory(const at::Tensor& tensor, std::vector<const void*>& memory);
// Whether the tensor shares any of that memory, which is sorted.
bool shares_memory(const at::Tensor& tensor, const std::vector<const void*>& memory);

// Why the host can't take the tensor in the place of a dense one of its own, as the end of a sentence:
// "is sparse"; empty: it can. `dense`: each element has memory of its own, without gaps.
std::string storage_fault(const at::Tensor& tensor, bool dense);
// Another tensor of the same elements, without the gradient: as detach() makes it, without the way
// through LibTorch's dispatcher. What an operator does to the tensor itself (its shape, its memory)
// stays with the alias.
at::Tensor alias_of(const at::Tensor& tensor);

// The tensor with memory of its own where it had none: LibTorch has zeros without any.
at::Tensor with_memory(const at::Tensor& tensor);

// What the tensor is. Sizes, strides and data point into it.
void describe(const at::Tensor& tensor, grapnel_tensor_info& info);

}  // namespace grapnel::bridge
