#include <grapnel/host/store.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <random>
#include <stdexcept>
#include <system_error>
#include <unordered_set>
#include <utility>

#include <grapnel/base/digest.h>
#include <grapnel/base/error.h>
#include <grapnel/base/files.h>
#include <grapnel/base/log.h>
#include <grapnel/base/platform.h>
#include <grapnel/base/text.h>
#include <grapnel/host/trust.h>

#include "platform.h"
#include "private_directory.h"

namespace grapnel::host {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t max_name_bytes = 180;  // short enough for a file name after the digest
constexpr std::size_t digest_length = 64;
constexpr double store_lock_timeout_seconds = 20.0;
constexpr std::chrono::hours one_day{24};
constexpr std::chrono::hours unused_for = 30 * one_day;
constexpr std::string_view temporary_prefix = ".tmp-put-";
constexpr std::string_view old_temporary_prefix =
    ".tmp-";  // of releases that wrote without the lock

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

void remove_old(const fs::path& file, fs::file_time_type::duration older_than) {
  std::error_code failure;
  const auto age = age_of(file, failure);
  if (!failure && age > older_than) fs::remove(file, failure);
}

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

void Store::require_writable() const {
  prepare();
  const FileLock lock = private_lock(lock_file(), LockKind::shared, store_lock_timeout_seconds);
  const TemporaryCopy attempt(directory_);
  (void)File::open(attempt.path(), OpenMode::create_private);
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
    // Who writes a copy holds the lock: temporary files that are left belong to nobody.
    const auto lock = FileLock::try_acquire(lock_file(), LockKind::exclusive);
    if (!lock) return;
    const std::unordered_set<std::string_view> kept(enabled_digests.begin(), enabled_digests.end());
    for (const fs::directory_entry& entry : fs::directory_iterator(directory_)) {
      const std::string name = entry.path().filename().string();
      const std::string_view digest = std::string_view(name).substr(0, digest_length);
      std::error_code failure;
      if (name.starts_with(temporary_prefix)) {
        fs::remove(entry.path(), failure);
      } else if (name.starts_with(old_temporary_prefix)) {
        remove_old(entry.path(), one_day);
      } else if (is_digest(digest) && !kept.contains(digest)) {
        remove_old(entry.path(), unused_for);
      }
    }
  } catch (const std::exception& error) {
    log_debug("the store of plugins was not cleared: {}", error.what());
  }
}

StoredFile Store::put_library(const Candidate& candidate) const {
  StoreWriter writer(*this);
  return writer.put_library(candidate);
}

StoredFile Store::put_text(std::string_view text, std::string_view name) const {
  StoreWriter writer(*this);
  return writer.put_text(text, name);
}

StoreWriter::StoreWriter(const Store& store, StoreSync sync)
    : store_(store), sync_(sync), lock_([&] {
        store.prepare();
        return private_lock(store.lock_file(), LockKind::shared, store_lock_timeout_seconds);
      }()) {
  if (sync_ == StoreSync::at_end && !can_sync_file_system()) sync_ = StoreSync::each;
}

StoredFile StoreWriter::keep(File copy, std::string digest, std::string_view name) {
  const fs::path temporary = copy.path();
  StoredFile stored{.path = store_.path_of(digest, name), .digest = std::move(digest)};
  // An intact copy stays: a run may have mapped it. A damaged one is replaced.
  stored.was_intact = stored_file_damage(stored.path, stored.digest, trust_).empty();
  if (stored.was_intact) {
    note_use_of(stored.path);
    return stored;
  }
  if (sync_ == StoreSync::each) copy.sync();
  copy.close();
  fs::permissions(temporary, fs::perms::owner_read);
  replace_file(temporary, stored.path);
  // Its digest tells a copy that a loss of power cut short, and the next put replaces it.
  if (sync_ == StoreSync::each) sync_directory(store_.directory_);
  wrote_ = true;
  return stored;
}

StoredFile StoreWriter::put_library(const Candidate& candidate) {
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
  const TemporaryCopy copy(store_.directory_);
  File target = File::open(copy.path(), OpenMode::create_private);
  Sha256 sha256;
  std::array<std::byte, 65536> buffer;
  while (const std::size_t size = source.read(buffer)) {
    const std::span<const std::byte> bytes(buffer.data(), size);
    sha256.update(bytes);
    target.write(bytes);
  }
  check_same();
  return keep(std::move(target), hex(sha256.finish()), name);
}

StoredFile StoreWriter::put_text(std::string_view text, std::string_view name) {
  const TemporaryCopy copy(store_.directory_);
  File target = File::open(copy.path(), OpenMode::create_private);
  target.write(std::as_bytes(std::span(text.data(), text.size())));
  return keep(std::move(target), hex(sha256(text)), name);
}

void StoreWriter::finish() {
  if (sync_ != StoreSync::at_end || !wrote_) return;
  sync_file_system(store_.directory_);
  wrote_ = false;
}

std::string stored_file_damage(const fs::path& file, std::string_view digest, TrustChecker& trust) {
  const auto identity = file_identity(file, Links::refuse);
  if (!identity) return fmt::format("its copy {} is missing", quote(file.string()));
  if (std::string refusal = trust.refusal(file, *identity); !refusal.empty()) return refusal;
  const std::string found = hex(sha256_file(file));
  if (found == digest) return {};
  return fmt::format("its copy {} was changed: its SHA-256 is {}, that of the enabled plugin is {}",
                     quote(file.string()), found, digest);
}

std::string stored_file_damage(const fs::path& file, std::string_view digest) {
  TrustChecker trust;
  return stored_file_damage(file, digest, trust);
}

}  // namespace grapnel::host
