#include "private_directory.h"

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <string>
#include <system_error>

#include <grapnel/base/error.h>
#include <grapnel/base/process.h>

namespace grapnel::host {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::minutes longest_need{10};  // a plugin is loaded or probed long before

// The process in "PREFIX" "PID-COUNT-RANDOM"; 0: it is another name.
std::int64_t process_of(std::string_view name, std::string_view prefix) {
  if (!name.starts_with(prefix)) return 0;
  name.remove_prefix(prefix.size());
  std::int64_t process = 0;
  const char* const end = name.data() + name.size();
  const auto [rest, failure] = std::from_chars(name.data(), end, process);
  return failure == std::errc() && rest != end && *rest == '-' ? process : 0;
}

}  // namespace

void make_private_directory(const std::filesystem::path& path) {
  if (file_identity(path)) return;
  if (path.has_parent_path() && path.parent_path() != path) {
    make_private_directory(path.parent_path());
  }
  // False when another process created it first, which is fine.
  (void)create_private_directory(path);
}

void remove_stale_directories(const fs::path& place, std::string_view prefix) {
  std::error_code error;
  for (fs::directory_iterator it(place, error), end; !error && it != end; it.increment(error)) {
    const fs::path& path = it->path();
    const std::int64_t process = process_of(path.filename().string(), prefix);
    if (process <= 0 || process_exists(process)) continue;
    std::error_code kept;
    const auto made = fs::last_write_time(path, kept);
    if (kept || fs::file_time_type::clock::now() - made < longest_need) continue;
    const auto identity = file_identity(path, Links::refuse);
    if (identity && identity->kind == FileKind::directory && identity->owned_by_us) {
      fs::remove_all(path, kept);
    }
  }
}

FileLock private_lock(const std::filesystem::path& path, LockKind kind, double timeout_seconds) {
  using std::filesystem::perms;
  constexpr perms mine = perms::owner_read | perms::owner_write;
  try {
    (void)File::open(path, OpenMode::create_private);
  } catch (const IoError& error) {
    if (error.error_number != EEXIST) throw;
    std::error_code failure;  // then it stays as it is: nothing is read from it
    if (std::filesystem::status(path, failure).permissions() != mine) {
      std::filesystem::permissions(path, mine, failure);
    }
  }
  return FileLock::acquire(path, kind, timeout_seconds);
}

}  // namespace grapnel::host
