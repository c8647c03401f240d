// Directories and locks that only this user can access, whatever the umask.
#pragma once

#include <filesystem>

#include <grapnel/base/platform.h>

namespace grapnel::host {

// Creates the directory, readable only by its owner, and missing parents. An existing one is not
// changed. IoError.
void make_private_directory(const std::filesystem::path& path);

// FileLock::acquire() of a file with mode 0600; one that has another mode gets it.
[[nodiscard]] FileLock private_lock(const std::filesystem::path& path, LockKind kind,
                                    double timeout_seconds);

}  // namespace grapnel::host
