// A user of the test's own: configuration, data and cache directories, a directory in the search path,
// and real plugins to put into it.
#pragma once

#include <fmt/format.h>

#include <filesystem>
#include <string>
#include <string_view>

#include <grapnel/host/discovery.h>
#include <grapnel/host/enabling.h>
#include <grapnel/host/inspection.h>

#include "temp_dir.h"

namespace grapnel::test {

// What a plugin's manifest says, where a test wants something else than this.
struct PluginText {
  std::string version = "1.0.0";
  std::string members = "";  // more of them: R"("before": ["b"],)"
  int abi_major = GRAPNEL_ABI_MAJOR;
  int abi_minor = GRAPNEL_ABI_LOWEST_MINOR;  // what the libraries are compiled for
};

// plugin.json of a plugin whose library is PLAIN_PLUGIN, the real one that has none inside.
inline std::string manifest_text(std::string_view id, const PluginText& text = {}) {
  return fmt::format(
      R"({{"manifest_version": 1, "id": "{}", "version": "{}", "summary": "About {}.",
           "license": "MIT", {} "abi": {{"major": {}, "minor": {}}},
           "callbacks": [{{"name": "manifest_absent", "summary": "Does nothing."}}]}})",
      id, text.version, id, text.members, text.abi_major, text.abi_minor);
}

class PluginWorld {
 public:
  PluginWorld() {
    directories.config = dir / "config";
    directories.data = dir / "data";
    directories.cache = dir / "cache";
    directories.project = dir / "project";
    directories.installed = dir / "installed";
    std::filesystem::create_directory(plugins());
  }

  std::filesystem::path plugins() const { return dir / "plugins"; }

  host::DiscoveryOptions discovery() const {
    return {.plugin_path = {plugins().string()}, .directories = directories};
  }

  // A library and its manifest in a directory, the plugin directory unless told.
  std::filesystem::path add_plugin(const std::string& id, const PluginText& text = {},
                                   std::filesystem::path where = {}) const {
    if (where.empty()) where = plugins();
    std::filesystem::create_directories(where);
    dir.write(where / (id + ".grapnel.json"), manifest_text(id, text));
    const auto library = where / (id + ".so");
    std::filesystem::copy_file(PLAIN_PLUGIN, library,
                               std::filesystem::copy_options::overwrite_existing);
    return library;
  }

  host::EnabledPlugin enable(const std::string& id) const {
    return host::enable_plugin(host::find_candidate(id, discovery()), directories).plugin;
  }

  TempDir dir;
  host::HostDirectories directories;
};

// Another build of a library: still loads, has other bytes.
inline void change_library(const std::filesystem::path& library) {
  std::ofstream(library, std::ios::binary | std::ios::app) << "another build";
}

}  // namespace grapnel::test
