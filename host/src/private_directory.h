// Creates directories that only this user can access.
#pragma once

#include <filesystem>

namespace grapnel::host {

// Creates the directory, readable only by its owner, and missing parents. An existing one is not
// changed. IoError.
void make_private_directory(const std::filesystem::path& path);

}  // namespace grapnel::host
