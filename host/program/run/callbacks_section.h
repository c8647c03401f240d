// Reads "callbacks" of run.json: built-in callbacks and those of enabled plugins.
//
// A built-in callback runs when it is named. A plugin's callbacks run in every training; naming one
// changes its parameters. In addition to its parameters, each accepts "label", which distinguishes
// two of one kind, and "on_error": "fail" or "disable".
#pragma once

#include <vector>

#include <grapnel/base/json.h>
#include <grapnel/bridge/plugins.h>
#include <grapnel/callback.h>
#include <grapnel/host/selection.h>

namespace grapnel::program {

struct CallbacksSection {
  std::vector<CallbackHandle> built_in;
  std::vector<bridge::PluginCallbackConfig> plugins;
};

// ConfigError with a position; for an unknown name it suggests the nearest one, or the command that
// enables the plugin.
[[nodiscard]] CallbacksSection read_callbacks(const ConfigValue& section,
                                              const host::PluginSelection& selection,
                                              const host::DiscoveryOptions& discovery);

}  // namespace grapnel::program
