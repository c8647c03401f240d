// Which plugins a run loads, in which order, and what its user should know about the others.
//
//   enabled plugins (or every drop-in, where the user set that)
//   GRAPNEL_PLUGINS=all | none | a,b     replaces them for this run
//   --plugin ID|FILE                     adds one; naming it is consent for this run
//   --no-plugin ID                       takes one away
//
// Whatever is selected lies in the store when this returns; loader.h verifies it again. The order
// depends only on ids and their before/after, so it is the same on every machine.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <grapnel/host/discovery.h>
#include <grapnel/host/manifest.h>

namespace grapnel::host {

struct SelectionOptions {
  DiscoveryOptions discovery;
  std::vector<std::string> plugins;     // --plugin: ids, or paths of libraries or manifests
  std::vector<std::string> no_plugins;  // --no-plugin: ids
  // GRAPNEL_PLUGINS; nullopt reads the environment.
  std::optional<std::string> environment;
};

struct SelectedPlugin {
  Manifest manifest;
  std::filesystem::path library;  // the verified copy in the store
  std::string digest;             // its SHA-256, 64 hexadecimal digits
  std::filesystem::path origin;   // where it came from, for messages
  std::string reason;             // why it runs: "enabled", "--plugin ema", "GRAPNEL_PLUGINS=all"
  std::string order_reason;       // why it stands here: "after 'ema'"; empty: by its id
};

struct PluginSelection {
  std::vector<SelectedPlugin> plugins;  // in the order in which their callbacks are added
  // One line each, for the log: a discovered plugin that is not enabled, with the command that
  // enables it; an update that waits; an origin that is gone.
  std::vector<std::string> notices;
};

// PluginError when a named plugin is unknown (with the nearest id) or refused, when an enabled
// one's copy is damaged, or when before/after form a cycle, which it names. ConfigError when the
// record of enabled plugins or GRAPNEL_PLUGINS is not acceptable.
[[nodiscard]] PluginSelection select_plugins(const SelectionOptions& options);

// True when GRAPNEL_PLUGINS or --plugin means a file and not an id: it has a directory separator or
// ends as libraries and manifests do.
[[nodiscard]] bool names_a_file(std::string_view argument) noexcept;

}  // namespace grapnel::host
