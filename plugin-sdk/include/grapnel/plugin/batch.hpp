// The input and the results of a step.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <grapnel/plugin/tensor.hpp>

namespace grapnel::plugin {
inline namespace GRAPNEL_PLUGIN_NAMESPACE GRAPNEL_PLUGIN_HIDDEN {

#if GRAPNEL_ABI_TARGET >= 5
namespace detail {
template <>
struct Appended<&grapnel_batches::describe> {
  static constexpr int minor = 5;
};
}  // namespace detail

/// What a tensor is, without its elements.
struct TensorShape {
  Dtype dtype;
  std::vector<std::int64_t> sizes;
};
#endif

/// Valid until the hook returns.
class Batch {
 public:
  Batch(detail::Context& context, grapnel_batch* batch) noexcept
      : context_(&context), batch_(batch) {}

  std::size_t size() const {  ///< number of tensors
    std::uint64_t count = 0;
    detail::check(context_->call<&grapnel_batches::count>(batch_, &count),
                  "the tensors of a batch");
    return static_cast<std::size_t>(count);
  }
  std::string name(std::size_t i) const {  ///< empty where the tensor has none
    grapnel_string text{};
    detail::check(context_->call<&grapnel_batches::name>(batch_, i, &text),
                  "the name of a tensor of a batch");
    return std::string(detail::from_abi(text));
  }
  Tensor operator[](std::size_t i) const {  ///< i < size(), else Error
    grapnel_tensor* owned = nullptr;
    detail::check(context_->call<&grapnel_batches::get>(batch_, i, &owned), "a tensor of a batch");
    return Tensor::adopt(*context_, owned);
  }
#if GRAPNEL_ABI_TARGET >= 5
  /// What tensor i is, at no cost of a copy; i < size(), else Error.
  TensorShape shape(std::size_t i) const {
    const grapnel_tensor_info* info = nullptr;
    detail::check(context_->call<&grapnel_batches::describe>(batch_, i, &info),
                  "the shape of a tensor of a batch");
    return {static_cast<Dtype>(info->dtype), {info->sizes, info->sizes + info->ndim}};
  }
#endif
  /// The step sees the new tensor, the data set does not change. Only in ..._batch_start hooks.
  void replace(std::size_t i, const Tensor& tensor) {
    tensor.context();
    detail::check(context_->call<&grapnel_batches::replace>(batch_, i, tensor.handle()),
                  "replacing a tensor of a batch");
  }
  /// The samples' places in the data set; empty when unknown.
  std::vector<std::int64_t> sample_indices() const {
    const std::int64_t* indices = nullptr;
    std::uint64_t count = 0;
    const auto status = context_->call<&grapnel_batches::sample_indices>(batch_, &indices, &count);
    if (!detail::check_found(status, "the sample indices of a batch")) return {};
    return {indices, indices + count};
  }

 private:
  detail::Context* context_;
  grapnel_batch* batch_;
};

/// The results of a step: an optional loss, and named extras or the tensors of a prediction. Valid
/// until the hook returns.
class Outputs {
 public:
  Outputs(detail::Context& context, grapnel_outputs* outputs) noexcept
      : context_(&context), outputs_(outputs) {}

  /// Fetched from its device once per step and then kept; may be NaN or infinite.
  /// In training it is divided by accumulate_grad_batches. Empty when the step returned none.
  std::optional<double> loss() const {
    double value = 0;
    if (!detail::check_found(context_->call<&grapnel_step_outputs::loss>(outputs_, &value),
                             "the loss"))
      return {};
    return value;
  }
  /// Undefined when the step returned none.
  Tensor loss_tensor() const {
    grapnel_tensor* owned = nullptr;
    if (!detail::check_found(context_->call<&grapnel_step_outputs::loss_tensor>(outputs_, &owned),
                             "the loss"))
      return {};
    return Tensor::adopt(*context_, owned);
  }
  std::size_t size() const {  ///< number of extras, or of a prediction's tensors
    std::uint64_t count = 0;
    detail::check(context_->call<&grapnel_step_outputs::count>(outputs_, &count),
                  "the outputs of a step");
    return static_cast<std::size_t>(count);
  }
  std::string name(std::size_t i) const {
    grapnel_string text{};
    detail::check(context_->call<&grapnel_step_outputs::name>(outputs_, i, &text),
                  "the name of an output");
    return std::string(detail::from_abi(text));
  }
  Tensor operator[](std::size_t i) const {  ///< i < size(), else Error
    grapnel_tensor* owned = nullptr;
    detail::check(context_->call<&grapnel_step_outputs::get>(outputs_, i, &owned),
                  "an output of a step");
    return Tensor::adopt(*context_, owned);
  }

 private:
  detail::Context* context_;
  grapnel_outputs* outputs_;
};

}  // namespace GRAPNEL_PLUGIN_HIDDEN
}  // namespace grapnel::plugin
