// Directories and locks that only this user can access, whatever the umask.
#pragma once

#include <filesystem>
#include <string_view>

#include <grapnel/base/platform.h>

namespace grapnel::host {

// Creates the directory, readable only by its owner, and missing parents. An existing one is not
// changed. IoError.
void make_private_directory(const std::filesystem::path& path);

// Removes directories of TemporaryDirectory with this prefix that a process left here that was killed.
// Only those that are older than what such a directory is needed for: its process may be another
// container's, whose ids are not known here. What can't be removed stays.
void remove_stale_directories(const std::filesystem::path& place, std::string_view prefix);

// FileLock::acquire() of a file with mode 0600; one that has another mode gets it.
[[nodiscard]] FileLock private_lock(const std::filesystem::path& path, LockKind kind,
                                    double timeout_seconds);

}  // namespace grapnel::host
