// The member functions of Tensor and TensorList; included by tensor.hpp.
#pragma once

#include <optional>

#include <grapnel/plugin/finite.hpp>
#include <grapnel/plugin/tensor.hpp>

namespace grapnel::plugin {
inline namespace GRAPNEL_PLUGIN_NAMESPACE GRAPNEL_PLUGIN_HIDDEN {

// ---- Handles

inline Tensor Tensor::retain(detail::Context& context, grapnel_tensor* borrowed) {
  grapnel_tensor* owned = nullptr;
  if (borrowed != nullptr) {
    detail::check(context.call<&grapnel_tensors::retain>(borrowed, &owned), "retaining a tensor");
  }
  return adopt(context, owned);
}

inline Tensor::Tensor(const Tensor& other) {
  if (other.defined()) *this = retain(*other.context_, other.handle_);
}

inline Tensor::~Tensor() {
  if (handle_ != nullptr) detail::release(*context_, handle_);
}

inline detail::Context& Tensor::context() const {
  if (handle_ == nullptr) throw Error("this Tensor is undefined");
  return *context_;
}

inline const grapnel_tensor_info& Tensor::info() const {
  detail::Context& host = context();
  const grapnel_tensor_info* info = nullptr;
  detail::check(host.call<&grapnel_tensors::describe>(handle_, &info), "what a tensor is");
  return *info;
}

inline void TensorList::push_back(Tensor tensor) {
  if (!owns_) throw Error("a list of live tensors cannot grow");
  detail::Context& context = tensor.context();
  handles_.reserve(handles_.size() + 1);
  handles_.push_back(tensor.release_handle());
  context_ = &context;
}

inline void TensorList::clear() noexcept {
  if (owns_) {
    for (grapnel_tensor* handle : handles_) detail::release(*context_, handle);
  }
  handles_.clear();
  owns_ = true;
}

// ---- Properties

inline bool Tensor::is_floating_point() const {
  switch (dtype()) {
    case Dtype::f16:
    case Dtype::bf16:
    case Dtype::f32:
    case Dtype::f64:
      return true;
    default:
      return false;
  }
}

inline std::vector<std::int64_t> Tensor::sizes() const {
  const auto& known = info();
  return {known.sizes, known.sizes + known.ndim};
}

inline bool Tensor::same_shape_and_dtype(const Tensor& other) const {
  return dtype() == other.dtype() && sizes() == other.sizes();
}

inline double Tensor::item() const {
  double value = 0;
  detail::check(context().call<&grapnel_tensors::to_f64>(handle_, &value),
                "reading a tensor's only element");
  return value;
}

inline std::vector<double> Tensor::to_vector() const {
  if (dtype() != Dtype::f64) return to(Dtype::f64).to_vector();
  std::vector<double> values(static_cast<std::size_t>(numel()));
  detail::check(context_->call<&grapnel_tensors::read>(handle_, values.data(),
                                                       values.size() * sizeof(double)),
                "reading a tensor");
  return values;
}

inline std::vector<std::int64_t> Tensor::to_integers() const {
  if (dtype() != Dtype::i64) return to(Dtype::i64).to_integers();
  std::vector<std::int64_t> values(static_cast<std::size_t>(numel()));
  detail::check(context_->call<&grapnel_tensors::read>(handle_, values.data(),
                                                       values.size() * sizeof(std::int64_t)),
                "reading a tensor");
  return values;
}

inline void Tensor::read(void* data, std::size_t bytes) const {
  detail::check(context().call<&grapnel_tensors::read>(handle_, data, bytes), "reading a tensor");
}

inline std::optional<bool> Tensor::all_finite_in_memory() const {
  return detail::elements_are_finite(info());
}

inline bool Tensor::all_finite() const {
  if (const std::optional<bool> known = all_finite_in_memory()) return *known;
  return call("aten::isfinite", "").call("aten::all", "").item() != 0;
}

// ---- Operators

template <class Result, class... Args>
Result Tensor::call(std::string_view name, std::string_view overload, const Args&... args) const {
  return detail::call<Result>(context(), name, overload, *this, args...);
}

inline Tensor Tensor::clone() const {
  return call("aten::clone", "");
}
inline Tensor Tensor::detach() const {
  return call("aten::detach", "");
}
inline Tensor Tensor::stored_values() const {
  if (info().layout != GRAPNEL_TENSOR_SPARSE) return *this;
  return call("aten::coalesce", "").call("aten::_values", "");
}
inline Tensor Tensor::to(Dtype dtype) const {
  return call("aten::to", "dtype", dtype);
}
inline Tensor Tensor::zeros_like() const {
  return call("aten::zeros_like", "");
}
inline Tensor Tensor::abs() const {
  return call("aten::abs", "");
}
inline Tensor Tensor::sqrt() const {
  return call("aten::sqrt", "");
}
inline Tensor Tensor::sum() const {
  return call("aten::sum", "");
}
inline Tensor Tensor::mean() const {
  return call("aten::mean", "");
}
inline Tensor Tensor::max() const {
  return call("aten::max", "");
}
inline Tensor Tensor::min() const {
  return call("aten::min", "");
}
inline Tensor Tensor::norm(double p) const {
  return call("aten::linalg_vector_norm", "", p);
}

inline Tensor& Tensor::zero_() {
  call<void>("aten::zero_", "");
  return *this;
}
inline Tensor& Tensor::fill_(double value) {
  call<void>("aten::fill_", "Scalar", value);
  return *this;
}
inline Tensor& Tensor::copy_(const Tensor& source) {
  call<void>("aten::copy_", "", source);
  return *this;
}
inline Tensor& Tensor::add_(const Tensor& other, double alpha) {
  if (alpha == 1) {  // integer tensors refuse a floating alpha
    call<void>("aten::add_", "Tensor", other);
  } else {
    call<void>("aten::add_", "Tensor", other, alpha);
  }
  return *this;
}
inline Tensor& Tensor::add_(double value) {
  call<void>("aten::add_", "Scalar", value);
  return *this;
}
inline Tensor& Tensor::sub_(const Tensor& other, double alpha) {
  if (alpha == 1) {
    call<void>("aten::sub_", "Tensor", other);
  } else {
    call<void>("aten::sub_", "Tensor", other, alpha);
  }
  return *this;
}
inline Tensor& Tensor::mul_(const Tensor& other) {
  call<void>("aten::mul_", "Tensor", other);
  return *this;
}
inline Tensor& Tensor::mul_(double value) {
  call<void>("aten::mul_", "Scalar", value);
  return *this;
}
inline Tensor& Tensor::div_(double value) {
  call<void>("aten::div_", "Scalar", value);
  return *this;
}
inline Tensor& Tensor::lerp_(const Tensor& end, double weight) {
  call<void>("aten::lerp_", "Scalar", end, weight);
  return *this;
}
inline Tensor& Tensor::clamp_(double low, double high) {
  call<void>("aten::clamp_", "", low, high);
  return *this;
}

}  // namespace GRAPNEL_PLUGIN_HIDDEN
}  // namespace grapnel::plugin
