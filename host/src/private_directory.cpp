#include "private_directory.h"

#include <cerrno>
#include <system_error>

#include <grapnel/base/error.h>

namespace grapnel::host {

void make_private_directory(const std::filesystem::path& path) {
  if (file_identity(path)) return;
  if (path.has_parent_path() && path.parent_path() != path) {
    make_private_directory(path.parent_path());
  }
  // False when another process created it first, which is fine.
  (void)create_private_directory(path);
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
