// Tensors and forged files for the tests of safetensors and checkpoints.
#pragma once

#include <grapnel/base/safetensors.h>

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace grapnel::test {

inline std::vector<std::byte> to_bytes(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

// The little-endian bytes of some values.
template <class T>
std::vector<std::byte> bytes_of(const std::vector<T>& values) {
  std::vector<std::byte> bytes(values.size() * sizeof(T));
  if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

// A safetensors file with this header, whatever it claims, and so many bytes of data.
inline std::vector<std::byte> forged(std::string_view header, std::size_t data_size = 0) {
  std::string file(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) file[i] = static_cast<char>(header.size() >> (8 * i));
  file += header;
  file.append(data_size, '\x55');
  return to_bytes(file);
}

}  // namespace grapnel::test
