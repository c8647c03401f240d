#include <grapnel/base/digest.h>
#include <grapnel/base/error.h>
#include <grapnel/base/platform.h>

#include <algorithm>
#include <vector>

#define XXH_INLINE_ALL
#include <xxhash.h>

#if defined(_WIN32)
#include "windows_error.h"

#include <bcrypt.h>
#else
#include <openssl/evp.h>
#endif

namespace grapnel {

#if defined(_WIN32)

struct Sha256::State {
  BCRYPT_HASH_HANDLE hash = nullptr;

  State() {
    // Opened once, for the life of the process.
    static const BCRYPT_ALG_HANDLE algorithm = [] {
      BCRYPT_ALG_HANDLE opened = nullptr;
      if (BCryptOpenAlgorithmProvider(&opened, BCRYPT_SHA256_ALGORITHM, nullptr,
                                      BCRYPT_HASH_REUSABLE_FLAG) < 0) {
        throw Error("the system offers no SHA-256 (BCryptOpenAlgorithmProvider failed)");
      }
      return opened;
    }();
    if (BCryptCreateHash(algorithm, &hash, nullptr, 0, nullptr, 0, BCRYPT_HASH_REUSABLE_FLAG) < 0) {
      throw Error("the system offers no SHA-256 (BCryptCreateHash failed)");
    }
  }
  ~State() { BCryptDestroyHash(hash); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  void update(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const auto piece = bytes.first(std::min<std::size_t>(bytes.size(), 1U << 30));
      auto* data = reinterpret_cast<PUCHAR>(const_cast<std::byte*>(piece.data()));
      if (BCryptHashData(hash, data, static_cast<ULONG>(piece.size()), 0) < 0) {
        throw Error("SHA-256 failed (BCryptHashData)");
      }
      bytes = bytes.subspan(piece.size());
    }
  }
  void finish(Sha256Digest& digest) {
    if (BCryptFinishHash(hash, reinterpret_cast<PUCHAR>(digest.data()), 32, 0) < 0) {
      throw Error("SHA-256 failed (BCryptFinishHash)");
    }
  }
};

#else

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();

  State() {
    if (context == nullptr) throw std::bad_alloc();
    start();
  }
  ~State() { EVP_MD_CTX_free(context); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  void start() {
    if (EVP_DigestInit_ex(context, EVP_sha256(), nullptr) != 1) {
      throw Error("OpenSSL offers no SHA-256; check its configuration");
    }
  }
  void update(std::span<const std::byte> bytes) {
    if (EVP_DigestUpdate(context, bytes.data(), bytes.size()) != 1) {
      throw Error("SHA-256 failed (EVP_DigestUpdate)");
    }
  }
  void finish(Sha256Digest& digest) {
    auto* out = reinterpret_cast<unsigned char*>(digest.data());
    if (EVP_DigestFinal_ex(context, out, nullptr) != 1) {
      throw Error("SHA-256 failed (EVP_DigestFinal_ex)");
    }
    start();
  }
};

#endif

Sha256::Sha256() : state_(std::make_unique<State>()) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(std::span<const std::byte> bytes) {
  state_->update(bytes);
}

Sha256Digest Sha256::finish() {
  Sha256Digest digest{};
  state_->finish(digest);
  return digest;
}

Sha256Digest sha256(std::span<const std::byte> bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.finish();
}

Sha256Digest sha256(std::string_view text) {
  return sha256(std::as_bytes(std::span(text)));
}

Sha256Digest sha256_file(const std::filesystem::path& path) {
  File file = File::open(path, OpenMode::read);
  Sha256 hash;
  std::vector<std::byte> buffer(std::size_t{1} << 18);
  while (const std::size_t count = file.read(buffer)) {
    hash.update(std::span(buffer).first(count));
  }
  return hash.finish();
}

std::uint64_t xxh3_64(std::span<const std::byte> bytes) noexcept {
  return XXH3_64bits(bytes.data(), bytes.size());
}

struct Xxh3::State {
  XXH3_state_t hash;
};

Xxh3::Xxh3() : state_(std::make_unique<State>()) {
  XXH3_64bits_reset(&state_->hash);
}
Xxh3::~Xxh3() = default;
Xxh3::Xxh3(Xxh3&&) noexcept = default;
Xxh3& Xxh3::operator=(Xxh3&&) noexcept = default;

void Xxh3::update(std::span<const std::byte> bytes) noexcept {
  XXH3_64bits_update(&state_->hash, bytes.data(), bytes.size());
}

std::uint64_t Xxh3::finish() noexcept {
  const std::uint64_t digest = XXH3_64bits_digest(&state_->hash);
  XXH3_64bits_reset(&state_->hash);
  return digest;
}

std::string hex(std::span<const std::byte> bytes) {
  std::string out;
  out.reserve(2 * bytes.size());
  for (const std::byte byte : bytes) {
    const auto value = std::to_integer<unsigned>(byte);
    out += "0123456789abcdef"[value >> 4];
    out += "0123456789abcdef"[value & 0xf];
  }
  return out;
}

std::string hex(std::uint64_t value) {
  std::array<std::byte, 8> bytes{};
  for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<std::byte>(value >> (56 - 8 * i));
  return hex(bytes);
}

std::optional<std::string> unhex(std::string_view text) {
  const auto digit = [](char c) -> int {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  };
  if (text.size() % 2 != 0) return std::nullopt;
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = digit(text[i]);
    const int low = digit(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high << 4 | low);
  }
  return out;
}

}  // namespace grapnel
