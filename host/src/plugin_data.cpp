#include <grapnel/host/plugin_data.h>

#include <fmt/format.h>

#include <cerrno>

#include <grapnel/base/error.h>
#include <grapnel/base/files.h>
#include <grapnel/base/text.h>
#include <grapnel/host/trust.h>

#include "private_directory.h"
#include "unwritable_home.h"

namespace grapnel::host {

namespace fs = std::filesystem;

fs::path make_plugin_data_directory(std::string_view plugin, const HostDirectories& directories) {
  const fs::path path = fs::absolute(directories.data / "plugin_data" / plugin);
  try {
    make_private_directory(path);
  } catch (const IoError& error) {
    throw_unwritable("keep a plugin's data in", path, error);
  }
  std::error_code error;
  if (!fs::is_directory(path, error)) throw IoError("use as a directory", path, ENOTDIR);
  if (const std::string refusal = TrustChecker().directory_refusal(real_path(path));
      !refusal.empty()) {
    throw PluginError(
        fmt::format("the data directory of plugin {} is not its own: {}", quote(plugin), refusal),
        {.plugin = std::string(plugin), .version = {}, .callback = {}, .hook = {}});
  }
  return path;
}

}  // namespace grapnel::host
