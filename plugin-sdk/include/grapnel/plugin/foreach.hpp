// Operators over many tensors in one call across the boundary, which LibTorch runs as one kernel
// per device if possible. Use them to update every parameter of a model each step.
#pragma once

#include <string>

#include <grapnel/plugin/lerp.hpp>
#include <grapnel/plugin/tensor.hpp>

namespace grapnel::plugin {
inline namespace GRAPNEL_PLUGIN_NAMESPACE GRAPNEL_PLUGIN_HIDDEN {

namespace detail {

/// False when there is nothing to do. Throws Error for lists of different lengths.
inline bool are_paired(const TensorList& target, const TensorList& other) {
  if (target.size() != other.size()) {
    throw Error("lists of " + std::to_string(target.size()) + " and " +
                std::to_string(other.size()) + " tensors");
  }
  return !target.empty();
}

}  // namespace detail

/// target[i] += weight * (end[i] - target[i]). Lists of equal length, else Error. On the CPU small
/// tensors are updated in their memory, where the last bit may differ from that of LibTorch's operator.
inline void foreach_lerp_(const TensorList& target, const TensorList& end, double weight) {
  if (!detail::are_paired(target, end) || detail::lerp_in_memory(target, end, weight)) return;
  detail::call<void>(target.context(), "aten::_foreach_lerp_", "Scalar", target, end, weight);
}

/// target[i] = source[i]. Lists of equal length, else Error.
inline void foreach_copy_(const TensorList& target, const TensorList& source) {
  if (!detail::are_paired(target, source)) return;
  detail::call<void>(target.context(), "aten::_foreach_copy_", "", target, source);
}

/// target[i] -= other[i]. Lists of equal length, else Error.
inline void foreach_sub_(const TensorList& target, const TensorList& other) {
  if (!detail::are_paired(target, other)) return;
  detail::call<void>(target.context(), "aten::_foreach_sub_", "List", target, other);
}

/// target[i] *= factor.
inline void foreach_mul_(const TensorList& target, double factor) {
  if (target.empty()) return;
  detail::call<void>(target.context(), "aten::_foreach_mul_", "Scalar", target, factor);
}

/// The p-norm of each tensor, a list of scalars on the tensors' device; see Tensor::norm.
inline TensorList foreach_norm(const TensorList& list, double p = 2) {
  if (list.empty()) return {};
  return detail::call<TensorList>(list.context(), "aten::_foreach_norm", "Scalar", list, p);
}

/// Scalars as one tensor with an element each; undefined for an empty list.
inline Tensor stack(const TensorList& scalars) {
  if (scalars.empty()) return {};
  return detail::call(scalars.context(), "aten::stack", "", scalars);
}

}  // namespace GRAPNEL_PLUGIN_HIDDEN
}  // namespace grapnel::plugin
