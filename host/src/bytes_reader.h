// Reads little-endian structures from a file's bytes; every access is bounds-checked.
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

#include <grapnel/base/error.h>

namespace grapnel::host {

class BytesReader {
 public:
  explicit BytesReader(std::span<const std::byte> bytes) noexcept : bytes_(bytes) {}

  // The part of `size` bytes at `offset`; DataError naming `what` when it is not all there.
  [[nodiscard]] std::span<const std::byte> part(std::uint64_t offset, std::uint64_t size,
                                                std::string_view what) const {
    if (offset > bytes_.size() || size > bytes_.size() - offset) {
      throw DataError(
          fmt::format("{} should be {} bytes at offset {}, but only {} "
                      "bytes are there; the file is damaged or truncated",
                      what, size, offset, bytes_.size()));
    }
    return bytes_.subspan(static_cast<std::size_t>(offset), static_cast<std::size_t>(size));
  }

  template <class T>
  [[nodiscard]] T read(std::uint64_t offset, std::string_view what) const {
    static_assert(std::is_trivially_copyable_v<T>);
    T value;
    std::memcpy(&value, part(offset, sizeof(T), what).data(), sizeof(T));
    return value;
  }

  [[nodiscard]] std::size_t size() const noexcept { return bytes_.size(); }
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return bytes_; }

 private:
  std::span<const std::byte> bytes_;
};

[[nodiscard]] inline std::string_view as_text(std::span<const std::byte> bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace grapnel::host
