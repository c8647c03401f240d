#include <grapnel/host/this_process.h>

#include <algorithm>
#include <system_error>

#include <grapnel/base/platform.h>

namespace grapnel::host {

namespace fs = std::filesystem;

std::optional<fs::path> find_in_path(std::string_view command) {
  constexpr fs::perms executable =
      fs::perms::owner_exec | fs::perms::group_exec | fs::perms::others_exec;
  const std::string path = environment_variable("PATH").value_or("");
  const char separator = path_list_separator();
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find(separator, begin), path.size());
    const fs::path directory = path.substr(begin, end - begin);
    begin = end + 1;
    if (directory.empty()) continue;
    std::error_code error;
    const fs::file_status status = fs::status(directory / command, error);
    const bool runs = (status.permissions() & executable) != fs::perms::none;
    if (fs::is_regular_file(status) && runs) return directory / command;
  }
  return std::nullopt;
}

}  // namespace grapnel::host
