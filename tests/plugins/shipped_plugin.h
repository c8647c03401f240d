// A callback of a plugin that ships, from its library as it is, for a Trainer.
#pragma once

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>

#include <grapnel/bridge/plugin_callback.h>
#include <grapnel/host/manifest.h>

#include "../bridge/support/toy_training.h"
#include "temp_dir.h"

namespace grapnel::test {

// Where the plugins are: those of this build, unless GRAPNEL_TEST_PLUGINS names others.
inline std::filesystem::path shipped_plugins() {
  const char* others = std::getenv("GRAPNEL_TEST_PLUGINS");
  return others != nullptr ? others : PLUGINS;
}

// parameters, label: as run.json would give them. Throws std::runtime_error when the library can't be
// loaded.
inline CallbackHandle shipped_plugin(const std::string& id, const std::string& parameters = "{}",
                                     const std::string& label = "") {
  const std::filesystem::path directory = shipped_plugins();
  void* library = dlopen((directory / (id + ".so")).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw std::runtime_error(dlerror());
  const auto* entry =
      static_cast<const grapnel_plugin*>(dlsym(library, GRAPNEL_PLUGIN_SYMBOL_NAME));
  const auto manifest = host::parse_manifest(read_file(directory / (id + ".grapnel.json")), id);
  bridge::PluginCallbackOptions options;
  options.parameters = parse_json(parameters, "parameters");
  options.name = label;
  return as_plugin(
      std::make_shared<bridge::PluginCallback>(manifest, id, *entry->factories[0], options));
}

}  // namespace grapnel::test
