// What is in a directory, where an error must not be taken for an empty one.
#pragma once

#include <filesystem>
#include <vector>

namespace grapnel {

// The paths in a directory, in the order of their names; none when there is no directory of this name.
// Throws IoError when it can't be read.
std::vector<std::filesystem::path> paths_in(const std::filesystem::path& directory);

}  // namespace grapnel
