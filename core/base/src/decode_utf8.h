// Decoding one code point at a time: shared by printable(), is_utf8() and the JSON writer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace grapnel::detail {

struct CodePoint {
  std::uint32_t value = 0;
  std::size_t bytes = 0;  // 0: the bytes at this place are not well-formed UTF-8
};

// The code point that starts at `text[at]`; `at` must be below the size.
inline CodePoint decode_utf8(std::string_view text, std::size_t at) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() - at < length) return {};
  std::uint32_t value = lead & (0x7fU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    value = (value << 6) | (byte(i) & 0x3fU);
  }
  const bool overlong = (length == 3 && value < 0x800) || (length == 4 && value < 0x10000);
  const bool surrogate = value >= 0xd800 && value <= 0xdfff;
  if (overlong || surrogate || value > 0x10ffff) return {};
  return {value, length};
}

}  // namespace grapnel::detail
