// Selects and orders the plugins of a run, and reports what the user should know about the others.
//
//   enabled plugins, and every drop-in when trust_all_drop_ins is set; those of the project's
//                                        directory run only when they are named or enabled
//   GRAPNEL_PLUGINS=all | none | a,b     replaces them for this run; "none" skips the search
//   --plugin ID|FILE                     adds one; naming it is consent for this run
//   --no-plugin ID                       removes one, also one that --plugin names; accepts former
//                                        ids
//
// An enabled plugin runs in the version that was enabled, even if its file has changed since; one
// named by its file runs as that file. Every selected plugin is in the store when this returns, or in a
// private directory where the store can't be written, which the log says; loader.h verifies it again.
// The order depends only on ids and their before/after, so it is the same on every machine.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <grapnel/base/error.h>
#include <grapnel/base/files.h>
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
  std::string order_reason;  // why it is at this position: "after 'ema'"; empty: by its id
};

struct PluginSelection {
  std::vector<SelectedPlugin> plugins;  // in the order in which their callbacks are added
  // One line each, for the log: a discovered plugin that is not enabled, with the command that
  // enables it; an available update; a plugin that runs although its file is gone.
  std::vector<std::string> notices;
  // Where the store can't be written: the copies of those that are in no store, removed with the last
  // selection that has them. A plugin needs its copy until it is loaded.
  std::shared_ptr<const TemporaryDirectory> private_copies{};
};

// PluginError when a named plugin is unknown (with the nearest id), refused, or can't run in this
// host, or when before/after form a cycle, which it names. ConfigError when the record of enabled
// plugins or a manifest is not acceptable.
[[nodiscard]] PluginSelection select_plugins(const SelectionOptions& options);

// True when the argument of --plugin is a file, not an id: it has a directory separator or the
// suffix of a library or manifest.
[[nodiscard]] bool names_a_file(std::string_view argument) noexcept;

// The error for an id that no plugin has: names the nearest of `known`, and the command that lists.
[[nodiscard]] PluginError unknown_plugin(std::string_view id, std::vector<std::string> known);

}  // namespace grapnel::host
