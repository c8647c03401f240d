#include "values/directory_listing.h"

#include <algorithm>
#include <system_error>

#include "grapnel/base/error.h"

namespace grapnel {

namespace fs = std::filesystem;

std::vector<fs::path> paths_in(const fs::path& directory) {
  std::vector<fs::path> paths;
  std::error_code error;
  do {
    paths.clear();
    fs::directory_iterator entry(directory, error);
    while (!error && entry != fs::directory_iterator()) {
      paths.push_back(entry->path());
      entry.increment(error);
    }
  } while (error == std::errc::interrupted);
  const bool is_absent =
      error == std::errc::no_such_file_or_directory || error == std::errc::not_a_directory;
  if (error && !is_absent) throw IoError("read the directory", directory, error.value());
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace grapnel
