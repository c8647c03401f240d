// Tensors of the host, by handle.
//
// A plugin never sees a tensor's class: a Tensor holds a handle, and the host's LibTorch runs the
// operators, without recording gradients. The plugin gets numbers only through item(), to_vector(),
// read() and the functions that return a bool; each of them waits for the tensor's device.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <grapnel/plugin/context.hpp>

namespace grapnel::plugin {
inline namespace GRAPNEL_PLUGIN_NAMESPACE GRAPNEL_PLUGIN_HIDDEN {

/// The memory order of a dense tensor.
enum class MemoryFormat : std::int32_t {
  contiguous = GRAPNEL_MEMORY_FORMAT_CONTIGUOUS,
  preserve = GRAPNEL_MEMORY_FORMAT_PRESERVE,
  channels_last = GRAPNEL_MEMORY_FORMAT_CHANNELS_LAST,
  channels_last_3d = GRAPNEL_MEMORY_FORMAT_CHANNELS_LAST_3D,
};

enum class Layout : std::int32_t {
  strided = GRAPNEL_TENSOR_STRIDED,
  sparse = GRAPNEL_TENSOR_SPARSE,
};

/// A device as an operator's argument: "cpu", "cuda:0". The text must outlive the call.
struct Device {
  std::string_view name;
};

/// Element types; the numbers are those of LibTorch's ScalarType.
enum class Dtype : std::int32_t {
  u8 = GRAPNEL_DTYPE_U8,
  i8 = GRAPNEL_DTYPE_I8,
  i16 = GRAPNEL_DTYPE_I16,
  i32 = GRAPNEL_DTYPE_I32,
  i64 = GRAPNEL_DTYPE_I64,
  f16 = GRAPNEL_DTYPE_F16,
  f32 = GRAPNEL_DTYPE_F32,
  f64 = GRAPNEL_DTYPE_F64,
  boolean = GRAPNEL_DTYPE_BOOL,
  bf16 = GRAPNEL_DTYPE_BF16,
};

/// A reference-counted handle: copies refer to the same tensor. Functions ending in '_' change it
/// in place, as in LibTorch. All throw HostFailure if the operator fails, and Error when called on
/// an undefined Tensor. [train-thread]
class Tensor {
 public:
  Tensor() = default;  ///< undefined
  Tensor(const Tensor& other);
  Tensor(Tensor&& other) noexcept
      : context_(other.context_), handle_(std::exchange(other.handle_, nullptr)) {}
  Tensor& operator=(Tensor other) noexcept {
    std::swap(context_, other.context_);
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Tensor();

  bool defined() const noexcept { return handle_ != nullptr; }
  Dtype dtype() const { return static_cast<Dtype>(info().dtype); }
  bool is_floating_point() const;  ///< f16, bf16, f32 or f64
  bool is_cpu() const { return info().device_type == GRAPNEL_DEVICE_CPU; }
  bool is_strided() const { return info().layout == GRAPNEL_TENSOR_STRIDED; }  ///< not sparse
  std::int64_t numel() const { return info().numel; }
  std::int64_t dim() const { return static_cast<std::int64_t>(info().ndim); }
  std::vector<std::int64_t> sizes() const;
  bool same_shape_and_dtype(const Tensor& other) const;

  double item() const;                            ///< of a tensor with one element
  std::vector<double> to_vector() const;          ///< all elements, row-major
  std::vector<std::int64_t> to_integers() const;  ///< all elements, row-major, as i64
  bool all_finite() const;  ///< no element is NaN or infinite; cheap on the CPU
  /// The same where reading its memory tells, in one call of the host; empty on another device, for
  /// a sparse tensor, and the like.
  std::optional<bool> all_finite_in_memory() const;
  /// All elements, row-major, in their own dtype. bytes: numel() times the size of an element, else
  /// Error.
  void read(void* data, std::size_t bytes) const;

  Tensor clone() const;   ///< a copy with its own memory
  Tensor detach() const;  ///< the same memory
  /// This tensor; of a sparse one (such as the gradient of an embedding) its stored values. All
  /// others are zero.
  Tensor stored_values() const;
  Tensor to(Dtype dtype) const;
  Tensor zeros_like() const;
  Tensor abs() const;
  Tensor sqrt() const;
  Tensor sum() const;               ///< scalar
  Tensor mean() const;              ///< scalar
  Tensor max() const;               ///< scalar; NaN if any element is
  Tensor min() const;               ///< scalar; NaN if any element is
  Tensor norm(double p = 2) const;  ///< scalar, (sum |x|^p)^(1/p); infinity is the largest |x|

  Tensor& zero_();
  Tensor& fill_(double value);
  Tensor& copy_(const Tensor& source);  ///< across devices and dtypes too
  Tensor& add_(const Tensor& other, double alpha = 1);
  Tensor& add_(double value);
  Tensor& sub_(const Tensor& other, double alpha = 1);
  Tensor& mul_(const Tensor& other);
  Tensor& mul_(double value);
  Tensor& div_(double value);
  Tensor& lerp_(const Tensor& end, double weight);  ///< this + weight * (end - this)
  Tensor& clamp_(double low, double high);

  /// Any operator, this tensor its first argument; see operators.hpp for results and arguments:
  /// x.call("aten::softmax", "int", -1), x.call<void>("aten::clamp_", "", 0, 1).
  template <class Result = Tensor, class... Args>
  Result call(std::string_view name, std::string_view overload, const Args&... args) const;

  // For the wrapper.
  static Tensor adopt(detail::Context& context, grapnel_tensor* owned) noexcept {
    Tensor tensor;
    tensor.context_ = &context;
    tensor.handle_ = owned;
    return tensor;
  }
  static Tensor retain(detail::Context& context, grapnel_tensor* borrowed);
  grapnel_tensor* handle() const noexcept { return handle_; }
  detail::Context& context() const;
  grapnel_tensor* release_handle() noexcept { return std::exchange(handle_, nullptr); }

 private:
  const grapnel_tensor_info& info() const;

  detail::Context* context_ = nullptr;
  grapnel_tensor* handle_ = nullptr;
};

/// A list of tensors, for the operators that take a whole model in one call (foreach.hpp). Owns its
/// handles, except a list of live ones made by Module, which is valid until the module's generation
/// changes.
class TensorList {
 public:
  TensorList() = default;
  TensorList(TensorList&& other) noexcept { swap(other); }
  TensorList& operator=(TensorList&& other) noexcept {
    swap(other);
    return *this;
  }
  TensorList(const TensorList&) = delete;
  TensorList& operator=(const TensorList&) = delete;
  ~TensorList() { clear(); }

  std::size_t size() const noexcept { return handles_.size(); }
  bool empty() const noexcept { return handles_.empty(); }
  /// A new handle for item i; i < size().
  Tensor operator[](std::size_t i) const { return Tensor::retain(*context_, handles_[i]); }
  /// Adds an item. Throws Error for an undefined one and for a list of live tensors.
  void push_back(Tensor tensor);
  void clear() noexcept;

  // For the wrapper.
  static TensorList adopt(detail::Context& context, std::vector<grapnel_tensor*> handles,
                          bool owns) {
    TensorList list;
    list.context_ = &context;
    list.handles_ = std::move(handles);
    list.owns_ = owns;
    return list;
  }
  grapnel_tensor* const* handles() const noexcept { return handles_.data(); }
  detail::Context& context() const noexcept { return *context_; }

 private:
  void swap(TensorList& other) noexcept {
    std::swap(context_, other.context_);
    std::swap(handles_, other.handles_);
    std::swap(owns_, other.owns_);
  }

  detail::Context* context_ = nullptr;  // null only while empty
  std::vector<grapnel_tensor*> handles_;
  bool owns_ = true;
};

}  // namespace GRAPNEL_PLUGIN_HIDDEN
}  // namespace grapnel::plugin

#include <grapnel/plugin/operators.hpp>
