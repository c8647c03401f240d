// Whether the elements of a tensor are finite, read from its memory: no operator, no copy. A plugin
// may check every gradient of every step with it.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <utility>

#include <grapnel/ext/tensors.h>
#include <grapnel/plugin/config.hpp>

namespace grapnel::plugin {
inline namespace GRAPNEL_PLUGIN_NAMESPACE GRAPNEL_PLUGIN_HIDDEN {
namespace detail {

/// Whether the elements lie in memory without gaps, in any order of the dimensions.
inline bool is_dense(const grapnel_tensor_info& info) {
  constexpr std::size_t most_dimensions = 8;
  if (info.ndim == 0) return true;
  if (info.strides == nullptr || info.ndim > most_dimensions) return false;
  std::array<std::pair<std::int64_t, std::int64_t>, most_dimensions> dimensions{};
  for (std::size_t i = 0; i < info.ndim; ++i) dimensions[i] = {info.strides[i], info.sizes[i]};
  std::sort(dimensions.begin(), dimensions.begin() + static_cast<std::ptrdiff_t>(info.ndim));
  std::int64_t next = 1;
  for (std::size_t i = 0; i < info.ndim; ++i) {
    const auto [stride, size] = dimensions[i];
    if (size == 1) continue;
    if (stride != next) return false;
    next *= size;
  }
  return true;
}

/// The sign bit of each Word of these bytes is set where an exponent consists of ones alone.
/// lowest_exponent: the value of the exponent's lowest bit, whose addition makes it overflow.
/// Constant sizes let compilers take several words at once.
template <std::size_t Bytes, class Word>
Word overflowing(const unsigned char* at, Word lowest_exponent) {
  constexpr Word magnitude = static_cast<Word>(~Word{0}) >> 1;
  Word overflow = 0;
  for (std::size_t i = 0; i < Bytes; i += sizeof(Word)) {
    Word word;
    std::memcpy(&word, at + i, sizeof word);
    overflow = static_cast<Word>(overflow | ((word & magnitude) + lowest_exponent));
  }
  return overflow;
}

/// Whether all `count` floating-point numbers are finite. Word: unsigned, of their size.
template <class Word>
bool are_finite(const void* data, std::int64_t count, Word lowest_exponent) {
  constexpr Word sign = static_cast<Word>(Word{1} << (sizeof(Word) * 8 - 1));
  constexpr std::size_t block = 512;
  const auto* at = static_cast<const unsigned char*>(data);
  std::size_t bytes = static_cast<std::size_t>(count) * sizeof(Word);
  for (; bytes >= block; at += block, bytes -= block) {
    if ((overflowing<block>(at, lowest_exponent) & sign) != 0) return false;
  }
  for (; bytes > 0; at += sizeof(Word), bytes -= sizeof(Word)) {
    if ((overflowing<sizeof(Word)>(at, lowest_exponent) & sign) != 0) return false;
  }
  return true;
}

/// nullopt: they can't be read here, on another device, sparse, with gaps or of another type.
inline std::optional<bool> elements_are_finite(const grapnel_tensor_info& info) {
  if (info.numel == 0) return true;
  if (info.data == nullptr || !is_dense(info)) return std::nullopt;
  switch (info.dtype) {
    case GRAPNEL_DTYPE_F32:
      return are_finite<std::uint32_t>(info.data, info.numel, std::uint32_t{1} << 23);
    case GRAPNEL_DTYPE_F64:
      return are_finite<std::uint64_t>(info.data, info.numel, std::uint64_t{1} << 52);
    case GRAPNEL_DTYPE_F16:
      return are_finite<std::uint16_t>(info.data, info.numel, std::uint16_t{1} << 10);
    case GRAPNEL_DTYPE_BF16:
      return are_finite<std::uint16_t>(info.data, info.numel, std::uint16_t{1} << 7);
    default:
      return std::nullopt;
  }
}

}  // namespace detail
}  // namespace GRAPNEL_PLUGIN_HIDDEN
}  // namespace grapnel::plugin
