// The bytes of a tensor from its shape, without overflow.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>

namespace grapnel::detail {

// nullopt when a size is negative or the product does not fit.
inline std::optional<std::uint64_t> tensor_bytes(std::span<const std::int64_t> shape,
                                                 std::uint64_t item_size) noexcept {
  std::uint64_t bytes = item_size;
  bool is_empty = false;
  for (const std::int64_t size : shape) {
    if (size < 0) return std::nullopt;
    if (size == 0) {
      is_empty = true;  // the other sizes must be sane all the same
      continue;
    }
    const auto factor = static_cast<std::uint64_t>(size);
    if (bytes > std::numeric_limits<std::int64_t>::max() / factor) return std::nullopt;
    bytes *= factor;
  }
  return is_empty ? 0 : bytes;
}

}  // namespace grapnel::detail
