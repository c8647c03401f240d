// "callbacks" of run.json: which of them are built in, and which are of an enabled plugin.
//
// A built-in callback runs when it is named. A plugin's callbacks run in every training; naming one
// changes its parameters. Beside its own parameters each takes "label", which tells two of one kind
// apart, and "on_error": "fail" or "disable".
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

// ConfigError, positioned: a name that isn't known names the nearest, or says that the plugin has to
// be enabled first.
[[nodiscard]] CallbacksSection read_callbacks(const ConfigValue& section,
                                              const host::PluginSelection& selection,
                                              const host::DiscoveryOptions& discovery);

}  // namespace grapnel::program
