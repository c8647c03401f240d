#include <string_view>
#include <system_error>

#include <grapnel/base/error.h>
#include <grapnel/base/platform.h>
#include <grapnel/host/discovery.h>

#include "descriptions.h"

namespace grapnel::host {
namespace {

namespace fs = std::filesystem;

class SearchPath {
 public:
  // Skips empty entries and directories that were already added: the first origin counts.
  void add(const fs::path& path, SearchOrigin origin) {
    if (path.empty()) return;
    SearchDirectory directory{.path = fs::absolute(path).lexically_normal(), .origin = origin};
    if (!directory.path.has_filename()) directory.path = directory.path.parent_path();
    std::error_code absent;
    if (const fs::path resolved = fs::canonical(directory.path, absent); !absent) {
      directory.path = resolved;
      directory.exists = fs::is_directory(resolved, absent);
    }
    for (const SearchDirectory& known : directories_) {
      if (known.path == directory.path) return;
    }
    directories_.push_back(std::move(directory));
  }

  void add_list(std::string_view list, SearchOrigin origin) {
    while (true) {
      const std::size_t end = list.find(path_list_separator());
      add(fs::path(list.substr(0, end)), origin);
      if (end == std::string_view::npos) return;
      list.remove_prefix(end + 1);
    }
  }

  std::vector<SearchDirectory> take() { return std::move(directories_); }

 private:
  std::vector<SearchDirectory> directories_;
};

// A user without a home, in a container for instance, has nothing enabled and keeps nothing.
fs::path or_nowhere(fs::path (*directory)()) {
  try {
    return directory();
  } catch (const Error&) {
    const fs::path nowhere = "/dev/null";  // which has no files
    if (!file_identity(nowhere)) throw;
    return nowhere / "there-is-no-home";
  }
}

}  // namespace

HostDirectories HostDirectories::of_this_user() {
  std::error_code gone;  // a removed working directory has no project
  return {.config = or_nowhere(user_config_directory),
          .data = or_nowhere(user_data_directory),
          .cache = or_nowhere(user_cache_directory),
          .project = fs::current_path(gone),
          .installed = executable_path().parent_path().parent_path() / GRAPNEL_INSTALLED_PLUGINS};
}

std::string_view to_string(SearchOrigin origin) noexcept {
  return enum_text(origin);
}

std::vector<SearchDirectory> plugin_search_path(const std::vector<std::string>& command_line,
                                                const HostDirectories& directories) {
  SearchPath path;
  for (const std::string& list : command_line) path.add_list(list, SearchOrigin::option);
  if (const auto list = environment_variable("GRAPNEL_PLUGIN_PATH")) {
    path.add_list(*list, SearchOrigin::environment);
  }
  if (!directories.project.empty()) {
    path.add(directories.project / ".grapnel" / "plugins", SearchOrigin::project);
  }
  path.add(directories.data / "plugins", SearchOrigin::user);
  path.add(directories.installed, SearchOrigin::installed);
  return path.take();
}

}  // namespace grapnel::host
