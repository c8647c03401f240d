// Which plugins a run loads, in which order, and what its user should know about the others.
//
//   enabled plugins, and every drop-in where the user set trust_all_drop_ins; those of the project's
//                                        directory run only when they are named or enabled
//   GRAPNEL_PLUGINS=all | none | a,b     replaces them for this run; none looks for nothing
//   --plugin ID|FILE                     adds one; naming it is consent for this run
//   --no-plugin ID                       takes one away; a former id stands for the current one
//
// An enabled plugin runs as the version that was enabled, whatever lies in the search path by now; one
// named by its file runs as that file. Whatever is selected lies in the store when this returns;
// loader.h verifies it again. The order depends only on ids and their before/after, so it is the same
// on every machine.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <grapnel/base/error.h>
#include <grapnel/host/discovery.h>
#include <grapnel/host/manifest.h>

namespace grapnel::host {

struct SelectionOptions {
  DiscoveryOptions discovery;
  std::vector<std::string> plugins;     // --plugin: ids, or paths of libraries or manifests
  std::vector<std::string> no_plugins;  // --no-plugin: ids
  // The value of GRAPNEL_PLUGINS; nullopt reads the environment.
  std::optional<std::string> environment;
};

struct SelectedPlugin {
  std::shared_ptr<const Manifest> manifest;  // never null
  std::filesystem::path library;             // the copy in the store
  std::string digest;                        // its SHA-256, 64 hexadecimal digits
  std::filesystem::path origin;              // where it was copied from, for messages
  std::string reason;        // why it runs: "enabled", "--plugin ema", "GRAPNEL_PLUGINS=all"
  std::string order_reason;  // why it stands here: "after 'ema'"; empty: by its id
};

struct PluginSelection {
  std::vector<SelectedPlugin> plugins;  // in the order in which their callbacks are added
  // One line each, for the log: a discovered plugin that is not enabled, with the command that
  // enables it; an update that waits; a plugin that runs though its file is gone.
  std::vector<std::string> notices;
};

// PluginError when a named plugin is unknown (with the nearest id), refused, or can't run in this
// host, or when before/after form a cycle, which it names. ConfigError when the record of enabled
// plugins or a manifest is not acceptable.
[[nodiscard]] PluginSelection select_plugins(const SelectionOptions& options);

// True when the argument of --plugin is a file and not an id: it has a directory separator or ends as
// libraries and manifests do.
[[nodiscard]] bool names_a_file(std::string_view argument) noexcept;

// The error for an id that no plugin has: names the nearest of `known`, and the command that lists.
[[nodiscard]] PluginError unknown_plugin(std::string_view id, std::vector<std::string> known);

}  // namespace grapnel::host
