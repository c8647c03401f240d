// The callbacks of all enabled plugins, for a Trainer or a Fabric, as the program `grapnel` uses
// them.
//
//   grapnel::Trainer trainer({.max_epochs = 5}, grapnel::bridge::enabled_plugins());
//
// Every callback of every selected plugin runs, with default parameters unless a
// PluginCallbackConfig changes them, in the order of host::select_plugins(). A Trainer calls them
// after the user's callbacks and its own defaults, and before those that write checkpoints.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <grapnel/bridge/plugin_callback.h>
#include <grapnel/fabric.h>
#include <grapnel/host/selection.h>
#include <grapnel/trainer.h>

namespace grapnel::bridge {

// Configures one callback of a plugin. Several configs of one name make several instances, in
// order; they need different labels or identifying parameters.
struct PluginCallbackConfig {
  std::string name;  // "<plugin id>", or "<plugin id>.<callback>" if it has several
  PluginCallbackOptions options = {};
  OnError on_error = OnError::fail;
  std::optional<CallFilter> filter = {};
  bool enabled = true;           // false: this callback is left out
  SourcePosition position = {};  // of the name, for errors
};

struct PluginCallbackRef {
  const host::SelectedPlugin* plugin;
  const host::CallbackManifest* callback;
};

// The callback that a name refers to; empty: none. ConfigError, listing the callbacks, for the id
// of a plugin with several.
std::optional<PluginCallbackRef> find_plugin_callback(const host::PluginSelection& selection,
                                                      std::string_view name,
                                                      const SourcePosition& position = {});
// All names that find_plugin_callback accepts: "ema", "suite.ema".
std::vector<std::string> plugin_callback_names(const host::PluginSelection& selection);

// Loads the selected plugins and makes their callbacks. PluginError when one is refused,
// ConfigError for an unknown name or invalid parameters.
std::vector<CallbackHandle> make_plugin_callbacks(
    const host::PluginSelection& selection, const std::vector<PluginCallbackConfig>& configs = {});

// Selects plugins, logs the notices of the selection (new plugins, updates), loads them and makes
// their callbacks.
std::vector<CallbackHandle> enabled_plugins(const host::SelectionOptions& options = {},
                                            const std::vector<PluginCallbackConfig>& configs = {});

// A Trainer with these callbacks and those of the enabled plugins.
std::unique_ptr<Trainer> make_trainer(TrainerOptions options,
                                      std::vector<CallbackHandle> callbacks = {},
                                      const host::SelectionOptions& plugins = {},
                                      const std::vector<PluginCallbackConfig>& configs = {});

// A Fabric with the callbacks of `options`, followed by those of the enabled plugins.
std::unique_ptr<Fabric> make_fabric(FabricOptions options = {},
                                    const host::SelectionOptions& plugins = {},
                                    const std::vector<PluginCallbackConfig>& configs = {});

}  // namespace grapnel::bridge
