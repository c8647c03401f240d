// A user of a test's own (tests/host/plugin_world.h) who drops real plugins in.
#pragma once

// What add_plugin() of plugin_world.h copies; it is not used here.
#ifndef PLAIN_PLUGIN
#define PLAIN_PLUGIN ""
#endif

#include <filesystem>
#include <string>

#include <grapnel/bridge/plugins.h>

#include "../../host/plugin_world.h"

namespace grapnel::test {

class PluginHome : public PluginWorld {
 public:
  // Copies a library, and the manifest next to it if there is one, into the plugin directory.
  void drop_in(const std::filesystem::path& library) const {
    namespace fs = std::filesystem;
    fs::copy_file(library, plugins() / library.filename());
    const fs::path manifest = library.parent_path() / (library.stem().string() + ".grapnel.json");
    if (fs::exists(manifest)) fs::copy_file(manifest, plugins() / manifest.filename());
  }

  host::SelectionOptions selection() const {
    return {.discovery = discovery(), .plugins = {}, .no_plugins = {}, .environment = ""};
  }
};

}  // namespace grapnel::test
