// The callbacks of all enabled plugins, for a Trainer or a Fabric: what the program `grapnel` gives its runs, in one
// call for users of the library.
//
//   grapnel::Trainer trainer({.max_epochs = 5}, grapnel::bridge::enabled_plugins());
//
// Every callback of every selected plugin runs with its default parameters, unless a
// PluginCallbackConfig says otherwise. Their order is that of host::select_plugins(); the Trainer
// puts them behind the user's own and its defaults, and before those that write checkpoints.
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

// How one callback of a plugin is to run. Several with the same name make several instances, in
// their order; they need different labels or identifying parameters.
struct PluginCallbackConfig {
  std::string name;  // "<plugin id>", or "<plugin id>.<callback>" where it has several
  PluginCallbackOptions options = {};
  OnError on_error = OnError::fail;
  std::optional<CallFilter> filter = {};
  bool enabled = true;           // false: this callback stays out of the run
  SourcePosition position = {};  // of the name, for errors
};

struct PluginCallbackRef {
  const host::SelectedPlugin* plugin;
  const host::CallbackManifest* callback;
};

// What a name means among the selected plugins; nothing when none of them is meant. ConfigError,
// listing the callbacks, when it is the id of a plugin with several.
std::optional<PluginCallbackRef> find_plugin_callback(const host::PluginSelection& selection,
                                                      std::string_view name,
                                                      const SourcePosition& position = {});
// Every name that the function above accepts: "ema", "suite.ema".
std::vector<std::string> plugin_callback_names(const host::PluginSelection& selection);

// Loads the selected plugins and makes their callbacks. PluginError when one is refused, ConfigError
// for an unknown name or parameters that are not acceptable.
std::vector<CallbackHandle> make_plugin_callbacks(
    const host::PluginSelection& selection, const std::vector<PluginCallbackConfig>& configs = {});

// Selects, logs what the selection has to say (new plugins, updates), loads and makes.
std::vector<CallbackHandle> enabled_plugins(const host::SelectionOptions& options = {},
                                            const std::vector<PluginCallbackConfig>& configs = {});

// A Trainer with the callbacks given and those of the enabled plugins.
std::unique_ptr<Trainer> make_trainer(TrainerOptions options,
                                      std::vector<CallbackHandle> callbacks = {},
                                      const host::SelectionOptions& plugins = {},
                                      const std::vector<PluginCallbackConfig>& configs = {});

// A Fabric with the callbacks given and, behind them, those of the enabled plugins.
std::unique_ptr<Fabric> make_fabric(FabricOptions options = {},
                                    const host::SelectionOptions& plugins = {},
                                    const std::vector<PluginCallbackConfig>& configs = {});

}  // namespace grapnel::bridge
