#include <grapnel/host/store.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <random>
#include <stdexcept>
#include <system_error>

#include <grapnel/base/digest.h>
#include <grapnel/base/error.h>
#include <grapnel/base/files.h>
#include <grapnel/base/log.h>
#include <grapnel/base/platform.h>
#include <grapnel/base/text.h>
#include <grapnel/host/trust.h>

#include "private_directory.h"

namespace grapnel::host {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t max_name_bytes = 180;  // short enough for a file name after the digest
constexpr std::size_t digest_length = 64;
constexpr double store_lock_timeout_seconds = 20.0;
constexpr std::chrono::hours one_day{24};
constexpr std::chrono::hours unused_for = 30 * one_day;
constexpr std::string_view temporary_prefix = ".tmp-";

fs::file_time_type::duration age_of(const fs::path& file, std::error_code& failure) {
  const fs::file_time_type used = fs::last_write_time(file, failure);
  return failure ? fs::file_time_type::duration::zero() : fs::file_time_type::clock::now() - used;
}

void note_use_of(const fs::path& file) {
  std::error_code failure;  // it may be removed sooner and stored again
  if (age_of(file, failure) > one_day) {
    fs::last_write_time(file, fs::file_time_type::clock::now(), failure);
  }
}

// A temporary file, removed unless it was renamed to its final name.
class TemporaryCopy {
 public:
  explicit TemporaryCopy(const fs::path& directory)
      : path_(directory / fmt::format("{}{:08x}{:08x}", temporary_prefix, std::random_device()(),
                                      std::random_device()())) {}
  TemporaryCopy(const TemporaryCopy&) = delete;
  TemporaryCopy& operator=(const TemporaryCopy&) = delete;
  ~TemporaryCopy() {
    std::error_code renamed;
    fs::remove(path_, renamed);
  }
  [[nodiscard]] const fs::path& path() const noexcept { return path_; }

 private:
  fs::path path_;
};

}  // namespace

bool is_digest(std::string_view text) noexcept {
  return text.size() == 64 && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

bool is_plain_name(std::string_view name) {
  return !name.empty() && name.size() <= max_name_bytes && is_safe_relative(fs::path(name)) &&
         name.find_first_of("/\\") == std::string_view::npos && name != ".";
}

Store::Store(fs::path directory) {
  // Resolved once, so that the checked path is the loaded path even with links.
  std::error_code unreachable;
  directory_ = fs::weakly_canonical(directory, unreachable);
  if (unreachable) directory_ = std::move(directory);
}
Store::Store(const HostDirectories& directories) : Store(directories.data / "store") {}

void Store::prepare() const {
  make_private_directory(directory_);
  const std::string refusal = TrustChecker().directory_refusal(real_path(directory_));
  if (!refusal.empty()) throw PluginError("cannot store plugins: " + refusal, {});
}

fs::path Store::path_of(std::string_view digest, std::string_view name) const {
  if (!is_digest(digest) || !is_plain_name(name)) {
    throw std::invalid_argument(
        fmt::format("{} and {} are not a digest and a file name", quote(digest), quote(name)));
  }
  return directory_ / fmt::format("{}-{}", digest, name);
}

bool Store::holds(std::string_view digest, std::string_view name) const {
  const auto identity = file_identity(path_of(digest, name), Links::refuse);
  return identity && identity->kind == FileKind::regular;
}

StoredFile Store::keep(const fs::path& copy, std::string digest, std::string_view name) {
  const fs::path target = path_of(digest, name);
  const FileLock lock =
      FileLock::acquire(lock_file(), LockKind::shared, store_lock_timeout_seconds);
  // An intact copy stays: a run may have mapped it. A damaged one is replaced.
  if (!stored_file_damage(target, digest).empty()) {
    fs::permissions(copy, fs::perms::owner_read);
    replace_file(copy, target);
    sync_directory(directory_);
  } else {
    note_use_of(target);
  }
  return {.path = target, .digest = std::move(digest)};
}

fs::path Store::lock_file() const {
  fs::path file = directory_;
  return file += ".lock";
}

void Store::note_use(std::string_view digest, std::string_view name) const {
  note_use_of(path_of(digest, name));
}

void Store::remove_unused(const std::vector<std::string>& enabled_digests) const {
  try {
    if (!file_identity(directory_)) return;
    const auto lock = FileLock::try_acquire(lock_file(), LockKind::exclusive);
    if (!lock) return;
    for (const fs::directory_entry& entry : fs::directory_iterator(directory_)) {
      const std::string name = entry.path().filename().string();
      const std::string digest = name.substr(0, digest_length);
      const bool is_temporary = name.starts_with(temporary_prefix);
      if (!is_temporary && (!is_digest(digest) ||
                            std::ranges::find(enabled_digests, digest) != enabled_digests.end())) {
        continue;
      }
      std::error_code failure;
      const auto age = age_of(entry.path(), failure);
      if (!failure && age > (is_temporary ? one_day : unused_for))
        fs::remove(entry.path(), failure);
    }
  } catch (const std::exception& error) {
    log_debug("the store of plugins was not cleared: {}", error.what());
  }
}

StoredFile Store::put_library(const Candidate& candidate) {
  prepare();
  std::string name = candidate.library.filename().string();
  if (!is_plain_name(name)) name = candidate.label() + std::string(shared_library_suffix());

  File source = File::open(candidate.library, OpenMode::read, Links::refuse);
  const auto check_same = [&] {
    if (source.identity() == candidate.identity) return;
    throw PluginError(fmt::format("plugin {} changed while it was copied; nothing "
                                  "was stored; check it and repeat the command",
                                  candidate.describe()),
                      {candidate.summary.id, candidate.summary.version, {}, {}});
  };
  check_same();
  const TemporaryCopy copy(directory_);
  File target = File::open(copy.path(), OpenMode::create_private);
  Sha256 sha256;
  std::array<std::byte, 65536> buffer;
  while (const std::size_t size = source.read(buffer)) {
    const std::span<const std::byte> bytes(buffer.data(), size);
    sha256.update(bytes);
    target.write(bytes);
  }
  check_same();
  target.sync();
  target.close();
  return keep(copy.path(), hex(sha256.finish()), name);
}

StoredFile Store::put_text(std::string_view text, std::string_view name) {
  prepare();
  const TemporaryCopy copy(directory_);
  File target = File::open(copy.path(), OpenMode::create_private);
  target.write(std::as_bytes(std::span(text.data(), text.size())));
  target.sync();
  target.close();
  return keep(copy.path(), hex(sha256(text)), name);
}

std::string stored_file_damage(const fs::path& file, std::string_view digest) {
  const auto identity = file_identity(file, Links::refuse);
  if (!identity) return fmt::format("its copy {} is missing", quote(file.string()));
  if (std::string refusal = TrustChecker().refusal(file, *identity); !refusal.empty()) {
    return refusal;
  }
  const std::string found = hex(sha256_file(file));
  if (found == digest) return {};
  return fmt::format("its copy {} was changed: its SHA-256 is {}, that of the enabled plugin is {}",
                     quote(file.string()), found, digest);
}

}  // namespace grapnel::host
