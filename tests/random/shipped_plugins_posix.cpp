#include <dlfcn.h>

#include <filesystem>
#include <memory>
#include <stdexcept>

#include <grapnel/bridge/plugin_callback.h>
#include <grapnel/callback_keys.h>
#include <grapnel/host/manifest.h>

#include "shipped_plugins.h"
#include "temp_dir.h"

namespace grapnel::random_test {

CallbackHandle shipped_plugin(const std::string& id, ConfigValue parameters) {
  const auto directory = std::filesystem::path(PLUGINS);
  void* library = dlopen((directory / (id + ".so")).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw std::runtime_error(dlerror());
  const auto* entry =
      static_cast<const grapnel_plugin*>(dlsym(library, GRAPNEL_PLUGIN_SYMBOL_NAME));
  const auto manifest =
      host::parse_manifest(test::read_file(directory / (id + ".grapnel.json")), id);
  const CallFilter filter =
      take_callback_keys(parameters, manifest.callbacks.at(0).parameters, id).filter;
  bridge::PluginCallbackOptions options;
  options.parameters = std::move(parameters);
  const CallbackHandle handle(
      std::make_shared<bridge::PluginCallback>(manifest, id, *entry->factories[0], options),
      CallbackOrigin::plugin, id);
  return filter == CallFilter() ? handle : handle.only(filter);
}

}  // namespace grapnel::random_test
