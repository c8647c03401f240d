// The 2-norms of many tensors as numbers. Small ones on the CPU are read from their memory, which takes
// less time than to call operators for them.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <grapnel/plugin/finite.hpp>
#include <grapnel/plugin/foreach.hpp>
#include <grapnel/plugin/lerp.hpp>

namespace grapnel::plugin {
inline namespace GRAPNEL_PLUGIN_NAMESPACE GRAPNEL_PLUGIN_HIDDEN {
namespace detail {

template <class Number>
double norm_of(const void* data, std::int64_t count) {
  const auto* elements = static_cast<const Number*>(data);
  double sum = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto element = static_cast<double>(elements[i]);
    sum += element * element;
  }
  return std::sqrt(sum);
}

/// nullopt: operators have to compute it.
inline std::optional<double> norm_in_memory(const grapnel_tensor_info& info) {
  if (info.numel == 0) return 0.0;
  if (info.data == nullptr || info.numel > most_elements_in_memory || !is_dense(info)) {
    return std::nullopt;
  }
  if (info.dtype == GRAPNEL_DTYPE_F32) return norm_of<float>(info.data, info.numel);
  return std::nullopt;  // the square of an f64 may be infinite where its norm isn't
}

}  // namespace detail

/// The norms of tensors as they are when this is made. They are fetched from the device when they are
/// asked for, all in one transfer.
class Norms {
 public:
  Norms() = default;
  explicit Norms(const TensorList& list) {
    values_.reserve(list.size());
    for (std::size_t i = 0; i < list.size(); ++i) {
      const auto norm = detail::norm_in_memory(detail::info_of(list.context(), list.handles()[i]));
      if (!norm) {
        on_device_ = foreach_norm(list);
        return;
      }
      values_.push_back(*norm);
    }
  }

  /// In the order of the list.
  const std::vector<double>& values() {
    if (!on_device_.empty()) {
      values_ = stack(on_device_).to_vector();
      on_device_.clear();
    }
    return values_;
  }

 private:
  std::vector<double> values_;
  TensorList on_device_;  // until they are fetched
};

}  // namespace GRAPNEL_PLUGIN_HIDDEN
}  // namespace grapnel::plugin
