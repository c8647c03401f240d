// Which plugins the user trusts: plugins.json in the user's configuration directory, and nowhere
// else. A project's files can never enable anything.
//
//   {"format": 1,
//    "trust_all_drop_ins": false,
//    "plugins": [{"id": "ema", "version": "1.2.0", "digest": "9f86...",
//                 "manifest_digest": "2c26...", "file": "ema.so", "origin": "/home/.../ema.so",
//                 "origin_stamp": "...", "enabled_at": "2026-01-31T09:00:00Z"}],
//    "disabled": ["spike_watch"]}
//
// Rules: written whole or not at all, under a lock, so that two programs never lose each other's
// changes, readable by its owner only. A file that can't be understood, or that others can write
// (trust.h), is an error that says so; it is never replaced by an empty one. Keys that this version
// doesn't know are kept.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <grapnel/host/discovery.h>
#include <grapnel/host/manifest.h>
#include <grapnel/host/store.h>

namespace grapnel::host {

struct EnabledPlugin {
  std::string id;
  std::string version;
  std::string digest;            // of the library in the store
  std::string manifest_digest;   // of the manifest in the store
  std::string file;              // the library's name in the store: "ema.so"
  std::filesystem::path origin;  // what it was copied from
  std::string origin_stamp;      // identity of the origin then (file_stamp())
  std::string enabled_at;        // UTC, ISO 8601

  // "'ema' 1.2.0 (/usr/lib/grapnel/plugins/ema.so)", for messages.
  [[nodiscard]] std::string describe() const;
};

struct EnabledPlugins {
  std::vector<EnabledPlugin> plugins;  // in the order in which they were enabled
  std::vector<std::string> disabled;   // ids that runs do not mention
  // Every drop-in of the search path (Discovery::drop_ins()) counts as enabled, except `disabled`.
  bool trust_all_drop_ins = false;

  // nullptr: not enabled. Looks through all.
  [[nodiscard]] const EnabledPlugin* find(std::string_view id) const noexcept;
  [[nodiscard]] bool is_disabled(std::string_view id) const noexcept;
  // Of libraries and manifests: what the store must keep.
  [[nodiscard]] std::vector<std::string> digests() const;
};

// <config>/plugins.json
[[nodiscard]] std::filesystem::path enabled_file(const HostDirectories& directories);

// What is recorded; nothing when there is no file. ConfigError when it is damaged or
// writable by others.
[[nodiscard]] EnabledPlugins read_enabled(const HostDirectories& directories);

enum class DisableResult : std::uint8_t {
  disabled,   // it was enabled; its copy stays in the store for 30 days, for running trainings
  noted,      // it was not enabled; runs no longer mention it
  unchanged,  // it was disabled before
};
// "disabled", "noted", "unchanged"
[[nodiscard]] std::string_view to_string(DisableResult result) noexcept;

// Accept any id: only the caller knows whether a plugin has it. One result for each id; IoError that
// names the variables to set when the record can't be written.
[[nodiscard]] std::vector<DisableResult> disable_plugins(const std::vector<std::string>& ids,
                                                         const HostDirectories& directories);
[[nodiscard]] DisableResult disable_plugin(std::string_view id, const HostDirectories& directories);

// The manifest of an enabled plugin, from its copy. PluginError when it is missing, was changed, or is
// another plugin's.
[[nodiscard]] std::shared_ptr<const Manifest> read_enabled_manifest(const EnabledPlugin& plugin,
                                                                    const Store& store);
// The same; `trust` remembers directories from call to call.
[[nodiscard]] std::shared_ptr<const Manifest> read_enabled_manifest(const EnabledPlugin& plugin,
                                                                    const Store& store,
                                                                    TrustChecker& trust);
// Why a training can't take the plugin from its copies, as the end of a sentence, with what to do;
// empty when it can. Reads both.
[[nodiscard]] std::string enabled_plugin_damage(const EnabledPlugin& plugin, const Store& store,
                                                TrustChecker& trust);

// A file's device, inode, size and times in one text.
[[nodiscard]] std::string file_stamp(const FileIdentity& identity);

}  // namespace grapnel::host
