#include <grapnel/bridge/plugins.h>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include <grapnel/base/files.h>
#include <grapnel/base/log.h>
#include <grapnel/base/text.h>
#include <grapnel/bridge/running_plugin.h>
#include <grapnel/host/loader.h>

#include "guard.h"

namespace grapnel::bridge {
namespace {

// Its former ids, but for those that another selected plugin has: settings and states under them are
// that one's.
std::vector<std::string> former_ids(const host::PluginSelection& selection,
                                    const host::Manifest& manifest) {
  std::vector<std::string> ids = manifest.aliases;
  std::erase_if(ids, [&](const std::string& id) {
    return std::ranges::any_of(selection.plugins, [&](const host::SelectedPlugin& plugin) {
      return plugin.manifest->id == id;
    });
  });
  return ids;
}

// The callback that the plugin's id alone refers to; nullptr: ambiguous.
const host::CallbackManifest* only_callback(const host::Manifest& manifest) {
  if (manifest.callbacks.size() == 1) return &manifest.callbacks.front();
  return manifest.find(manifest.id);
}

std::vector<std::string> qualified_names(const host::Manifest& manifest) {
  std::vector<std::string> names;
  for (const host::CallbackManifest& callback : manifest.callbacks) {
    names.push_back(manifest.id + "." + callback.name);
  }
  return names;
}

// The callback that the plugin's id alone, or a former one, refers to. ConfigError when it doesn't say
// which of several.
PluginCallbackRef whole_plugin(const host::SelectedPlugin& plugin, std::string_view name,
                               const SourcePosition& position) {
  if (const auto* callback = only_callback(*plugin.manifest)) return {&plugin, callback};
  throw ConfigError(position,
                    fmt::format("plugin {} has several callbacks; say which one: {}", quote(name),
                                join_quoted(qualified_names(*plugin.manifest))),
                    std::string(name));
}

// The callback that "ID.CALLBACK" refers to; nullopt: the name is not of that form, or there is none.
std::optional<PluginCallbackRef> qualified_callback(const host::SelectedPlugin& plugin,
                                                    const std::string& id, std::string_view name) {
  if (!name.starts_with(id + ".")) return std::nullopt;
  const auto* callback = plugin.manifest->find(name.substr(id.size() + 1));
  return callback == nullptr ? std::nullopt : std::optional(PluginCallbackRef{&plugin, callback});
}

// Configs with the callback that each refers to.
using Resolved = std::vector<std::pair<PluginCallbackRef, const PluginCallbackConfig*>>;

Resolved resolve(const host::PluginSelection& selection,
                 const std::vector<PluginCallbackConfig>& configs) {
  Resolved resolved;
  for (const PluginCallbackConfig& config : configs) {
    const auto found = find_plugin_callback(selection, config.name, config.position);
    if (!found) {
      const std::vector<std::string> names = plugin_callback_names(selection);
      const std::string near = nearest(config.name, names).value_or("");
      throw ConfigError(
          config.position,
          fmt::format("no enabled plugin has a callback {}{}; known are {}", quote(config.name),
                      near.empty() ? "" : ", did you mean " + quote(near) + "?",
                      names.empty() ? "none" : join(names)),
          config.name, near);
    }
    resolved.emplace_back(*found, &config);
  }
  return resolved;
}

// Loading runs constructors, which may flip denormals (a library linked with -ffast-math does).
const host::LoadedPlugin& load(const host::SelectedPlugin& plugin) {
  const RunningPlugin loading{plugin.manifest->id.c_str(), plugin.manifest->version.c_str(), "",
                              "loading it"};
  note_running_plugin(loading);
  const RunningPluginScope scope(loading);
  ForeignCodeGuard guard;
  const host::LoadedPlugin& loaded = host::load_plugin(plugin);
  if (guard.restore()) {
    for (const std::string& change : guard.changes()) {
      log_warning("[{}] changed {} of the training thread while it was loaded; restored",
                  plugin.manifest->id, change);
    }
  }
  return loaded;
}

}  // namespace

std::optional<PluginCallbackRef> find_plugin_callback(const host::PluginSelection& selection,
                                                      std::string_view name,
                                                      const SourcePosition& position) {
  // Ids may have dots: the whole of "k.mon" is looked for before the callback "mon" of "k".
  for (const host::SelectedPlugin& plugin : selection.plugins) {
    if (name == plugin.manifest->id) return whole_plugin(plugin, name, position);
  }
  for (const host::SelectedPlugin& plugin : selection.plugins) {
    if (auto found = qualified_callback(plugin, plugin.manifest->id, name)) return found;
  }
  for (const host::SelectedPlugin& plugin : selection.plugins) {
    for (const std::string& id : former_ids(selection, *plugin.manifest)) {
      if (name == id) return whole_plugin(plugin, name, position);
      if (auto found = qualified_callback(plugin, id, name)) return found;
    }
  }
  return std::nullopt;
}

std::vector<std::string> plugin_callback_names(const host::PluginSelection& selection) {
  std::vector<std::string> names;
  for (const host::SelectedPlugin& plugin : selection.plugins) {
    if (only_callback(*plugin.manifest) != nullptr) names.push_back(plugin.manifest->id);
    for (std::string& name : qualified_names(*plugin.manifest)) names.push_back(std::move(name));
  }
  return names;
}

std::vector<CallbackHandle> make_plugin_callbacks(
    const host::PluginSelection& selection, const std::vector<PluginCallbackConfig>& configs) {
  const Resolved resolved = resolve(selection, configs);
  const PluginCallbackConfig defaults;
  std::vector<CallbackHandle> handles;
  for (const host::SelectedPlugin& plugin : selection.plugins) {
    const std::string source = fmt::format("{} {} ({})", plugin.manifest->id,
                                           plugin.manifest->version, display_path(plugin.origin));
    host::Manifest manifest = *plugin.manifest;
    manifest.aliases = former_ids(selection, manifest);
    for (const host::CallbackManifest& callback : plugin.manifest->callbacks) {
      std::vector<const PluginCallbackConfig*> wanted;
      for (const auto& [ref, config] : resolved) {
        if (ref.callback == &callback) wanted.push_back(config);
      }
      if (wanted.empty()) wanted.push_back(&defaults);
      for (const PluginCallbackConfig* config : wanted) {
        if (!config->enabled) continue;
        const host::LoadedPlugin& loaded = load(plugin);
        PluginCallbackOptions options = config->options;
        options.links_libtorch = loaded.links_libtorch();
        options.origin_directory = plugin.origin.parent_path();
        handles.emplace_back(std::make_shared<PluginCallback>(
                                 manifest, callback.name, *loaded.factory(callback.name), options),
                             CallbackOrigin::plugin, source);
        handles.back().on_error = config->on_error;
        handles.back().filter = config->filter;
      }
    }
  }
  return handles;
}

std::vector<CallbackHandle> enabled_plugins(const host::SelectionOptions& options,
                                            const std::vector<PluginCallbackConfig>& configs) {
  const host::PluginSelection selection = host::select_plugins(options);
  for (const std::string& notice : selection.notices) log_text(LogLevel::info, notice);
  return make_plugin_callbacks(selection, configs);
}

std::unique_ptr<Trainer> make_trainer(TrainerOptions options, std::vector<CallbackHandle> callbacks,
                                      const host::SelectionOptions& plugins,
                                      const std::vector<PluginCallbackConfig>& configs) {
  for (CallbackHandle& handle : enabled_plugins(plugins, configs)) {
    callbacks.push_back(std::move(handle));
  }
  return std::make_unique<Trainer>(std::move(options), std::move(callbacks));
}

std::unique_ptr<Fabric> make_fabric(FabricOptions options, const host::SelectionOptions& plugins,
                                    const std::vector<PluginCallbackConfig>& configs) {
  for (CallbackHandle& handle : enabled_plugins(plugins, configs)) {
    options.callbacks.emplace_back(std::move(handle));
  }
  return std::make_unique<Fabric>(std::move(options));
}

}  // namespace grapnel::bridge
