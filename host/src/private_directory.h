// Directories of this user's own.
#pragma once

#include <filesystem>

namespace grapnel::host {

// Makes the directory, readable by its owner only, and those above it that don't exist. One that
// exists stays as it is. IoError.
void make_private_directory(const std::filesystem::path& path);

}  // namespace grapnel::host
