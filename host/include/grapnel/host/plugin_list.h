// The list of `grapnel plugin list`: all discovered and all enabled plugins.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <grapnel/base/json.h>
#include <grapnel/host/discovery.h>
#include <grapnel/host/enabled.h>

namespace grapnel::host {

enum class PluginState : std::uint8_t {
  enabled,       // runs in every training
  disabled,      // discovered, not enabled
  update_waits,  // enabled; the file in the search path differs from the copy that runs
  missing,       // enabled; its file is gone or unreachable, the copy runs
  suspect,       // enabled; it ended a run, or did not pass when it was tried (suspicion.h)
  damaged,       // enabled; a copy in the store is missing or was changed: runs refuse to start
  shadowed,      // another plugin of the same id comes first in the search path
  refused,       // can't be used
};

// "enabled", "disabled", "update waits", "missing", "suspect", "damaged", "shadowed", "refused"
[[nodiscard]] std::string_view to_string(PluginState state) noexcept;

struct ListedPlugin {
  std::string id;  // empty when no manifest could be read
  PluginState state = PluginState::disabled;
  std::string version;  // of the copy that runs where enabled, else of the file
  std::string name;
  std::string summary;
  std::string license;
  std::vector<std::string> callbacks;
  std::filesystem::path path;  // of the file in the search path; where it was, when missing
  SearchOrigin origin = SearchOrigin::user;
  std::string digest;      // of the enabled copy; empty when not enabled
  std::string enabled_at;  // empty when not enabled
  std::string crash;       // Suspicion::crash
  std::string probe;       // Suspicion::probe
  std::string note;        // why it is refused, the new version, what to do

  // The id; the file's name where there is none.
  [[nodiscard]] std::string label() const;
};

struct PluginList {
  std::vector<ListedPlugin> plugins;  // by id; shadowed and refused ones last
  std::vector<SearchDirectory> directories;
  bool trust_all_drop_ins = false;
};

// ConfigError when the record of enabled plugins is damaged.
[[nodiscard]] PluginList list_plugins(const DiscoveryOptions& options);

// As `grapnel plugin list --json` prints it.
[[nodiscard]] ConfigValue to_json(const PluginList& list);

}  // namespace grapnel::host
