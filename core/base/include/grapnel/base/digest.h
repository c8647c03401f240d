// Digests: SHA-256 where someone could forge (trust) and of checkpoints' headers, XXH3-64 where only
// accidents matter (tensors, caches), and their hexadecimal text.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <grapnel/base/export.h>

namespace grapnel {

using Sha256Digest = std::array<std::byte, 32>;

// SHA-256 (FIPS 180-4), fed piece by piece. Not thread-safe.
class GRAPNEL_BASE_API Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void update(std::span<const std::byte> bytes);
  void update(std::string_view text) { update(std::as_bytes(std::span(text))); }
  // The digest of everything so far; the object then starts over.
  [[nodiscard]] Sha256Digest finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

[[nodiscard]] GRAPNEL_BASE_API Sha256Digest sha256(std::span<const std::byte> bytes);
[[nodiscard]] GRAPNEL_BASE_API Sha256Digest sha256(std::string_view text);
// Reads the file in pieces. IoError when it can't be read.
[[nodiscard]] GRAPNEL_BASE_API Sha256Digest sha256_file(const std::filesystem::path& path);

// XXH3, 64 bits, seed 0: about the speed of memory, no protection against forgery.
[[nodiscard]] GRAPNEL_BASE_API std::uint64_t xxh3_64(std::span<const std::byte> bytes) noexcept;

// The same, fed piece by piece. Not thread-safe.
class GRAPNEL_BASE_API Xxh3 {
 public:
  Xxh3();
  ~Xxh3();
  Xxh3(Xxh3&&) noexcept;
  Xxh3& operator=(Xxh3&&) noexcept;

  void update(std::span<const std::byte> bytes) noexcept;
  // The digest of everything so far; the object then starts over.
  [[nodiscard]] std::uint64_t finish() noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Lower-case hexadecimal; a number as 16 digits, most significant first.
[[nodiscard]] GRAPNEL_BASE_API std::string hex(std::span<const std::byte> bytes);
[[nodiscard]] GRAPNEL_BASE_API std::string hex(std::uint64_t value);
// The inverse of hex() for bytes, upper case accepted; nullopt when it is not hexadecimal.
[[nodiscard]] GRAPNEL_BASE_API std::optional<std::string> unhex(std::string_view text);

}  // namespace grapnel
