// The update of a running average, done in the memory of small tensors on the CPU: an operator of
// LibTorch takes longer to be called than their elements take.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <grapnel/ext/tensors.h>
#include <grapnel/plugin/tensor.hpp>

namespace grapnel::plugin {
inline namespace GRAPNEL_PLUGIN_NAMESPACE GRAPNEL_PLUGIN_HIDDEN {
namespace detail {

/// Up to as many elements LibTorch uses one thread.
inline constexpr std::int64_t most_elements_in_memory = 32'768;

/// Whether the elements lie in memory row by row, as begin_write gives them.
inline bool is_row_major(const grapnel_tensor_info& info) {
  std::int64_t next = 1;
  for (std::size_t i = info.ndim; i-- > 0;) {
    if (info.sizes[i] != 1 && info.strides[i] != next) return false;
    next *= info.sizes[i];
  }
  return true;
}

inline bool can_lerp_in_memory(const grapnel_tensor_info& target, const grapnel_tensor_info& end) {
  const bool is_known_type = target.dtype == GRAPNEL_DTYPE_F32 || target.dtype == GRAPNEL_DTYPE_F64;
  if (!is_known_type || end.dtype != target.dtype) return false;
  if (target.data == nullptr || end.data == nullptr) return false;
  if (target.numel > most_elements_in_memory || target.ndim != end.ndim) return false;
  for (std::size_t i = 0; i < target.ndim; ++i) {
    if (target.sizes[i] != end.sizes[i]) return false;
  }
  return is_row_major(target) && is_row_major(end);
}

/// As LibTorch's lerp, but that each operation is rounded: the nearer end is where it starts.
template <class Number>
void lerp(void* target, const void* end, std::int64_t count, double weight) {
  const auto share = static_cast<Number>(weight);
  auto* to = static_cast<Number*>(target);
  const auto* from = static_cast<const Number*>(end);
  if (share < Number{0.5} && share > Number{-0.5}) {
    for (std::int64_t i = 0; i < count; ++i) to[i] += share * (from[i] - to[i]);
  } else {
    const Number rest = Number{1} - share;
    for (std::int64_t i = 0; i < count; ++i) to[i] = from[i] - rest * (from[i] - to[i]);
  }
}

inline const grapnel_tensor_info& info_of(Context& context, const grapnel_tensor* tensor) {
  const grapnel_tensor_info* info = nullptr;
  check(context.call<&grapnel_tensors::describe>(tensor, &info), "what a tensor is");
  return *info;
}

/// target[i] += weight * (end[i] - target[i]). False, with nothing changed, when an operator has to
/// do it. The lists are of one length.
inline bool lerp_in_memory(const TensorList& target, const TensorList& end, double weight) {
  struct Pair {
    const grapnel_tensor_info* end;
    void* target;
  };
  Context& context = target.context();
  std::vector<Pair> pairs;
  pairs.reserve(target.size());
  for (std::size_t i = 0; i < target.size(); ++i) {
    pairs.push_back({&info_of(context, end.handles()[i]), nullptr});
    if (!can_lerp_in_memory(info_of(context, target.handles()[i]), *pairs[i].end)) return false;
  }
  std::size_t begun = 0;
  for (; begun < pairs.size(); ++begun) {
    std::uint64_t bytes = 0;
    const std::int32_t status = context.call<&grapnel_tensors::begin_write>(
        target.handles()[begun], &pairs[begun].target, &bytes);
    if (status != GRAPNEL_OK) break;
  }
  const bool all = begun == pairs.size();
  for (std::size_t i = 0; i < begun; ++i) {
    const auto [from, to] = pairs[i];
    const auto function = from->dtype == GRAPNEL_DTYPE_F32 ? &lerp<float> : &lerp<double>;
    if (all) function(to, from->data, from->numel, weight);
    check(context.call<&grapnel_tensors::end_write>(target.handles()[i]), "writing a tensor");
  }
  return all;
}

}  // namespace detail
}  // namespace GRAPNEL_PLUGIN_HIDDEN
}  // namespace grapnel::plugin
