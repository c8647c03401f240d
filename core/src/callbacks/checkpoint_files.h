// What is done to checkpoint files besides writing them: linking, removing, telling whether they
// may go.
#pragma once

#include <filesystem>

namespace grapnel {

// Makes `link` a relative symbolic link to `file`, in one step, in the place of whatever file is
// there; a copy where the system can't make links. IoError when a directory is in the way.
void link_checkpoint(const std::filesystem::path& file, const std::filesystem::path& link);

// Removes a file that may be gone already; a failure is a warning, since the new file is complete.
void remove_checkpoint(const std::filesystem::path& file);

// Would removing `file` take `kept` away, by whatever paths both are named? Removing a link to it
// would not.
bool would_remove(const std::filesystem::path& file, const std::filesystem::path& kept);

// Does the file lie below the directory? Both as they are written, without looking at links.
bool lies_below(const std::filesystem::path& file, const std::filesystem::path& directory);

// Absolute, without symbolic links as far as the path exists; a leading "~" is the home directory.
std::filesystem::path resolved_directory(const std::filesystem::path& path);

}  // namespace grapnel
