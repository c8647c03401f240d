// Everything known about one plugin, for `grapnel plugin inspect`: its manifest, facts about its
// library, whether it is enabled, and the result of its last probe. Runs none of its code.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <grapnel/base/json.h>
#include <grapnel/host/discovery.h>
#include <grapnel/host/library_file.h>
#include <grapnel/host/manifest.h>
#include <grapnel/host/plugin_list.h>
#include <grapnel/host/probe.h>

namespace grapnel::host {

// The plugin named by a command's argument: an id in the search path, or the path of a library or
// manifest. PluginError for an unknown id, naming the nearest; IoError when there is no such file.
// A plugin that can't be used is returned with the reason in `refused`.
[[nodiscard]] Candidate find_candidate(const std::string& argument,
                                       const DiscoveryOptions& options);

// Several, with one search.
[[nodiscard]] std::vector<Candidate> find_candidates(const std::vector<std::string>& arguments,
                                                     const DiscoveryOptions& options);

struct Inspection {
  PluginState state = PluginState::disabled;
  std::string note;                          // what to know about the state
  std::filesystem::path path;                // of the library
  std::filesystem::path manifest_path;       // next to the library; empty: embedded in it
  std::shared_ptr<const Manifest> manifest;  // null when it can't be read; then `note` says why
  std::optional<LibraryFacts> facts;
  std::string digest;      // SHA-256 of the library; empty when it can't be read
  std::string enabled_at;  // empty when not enabled
  std::string enabled_version;
  std::optional<ProbeResult> probe;  // as recorded
};

// PluginError as find_candidate(). An enabled plugin whose file is gone is read from its copy.
[[nodiscard]] Inspection inspect_plugin(const std::string& argument,
                                        const DiscoveryOptions& options);

// As `grapnel plugin inspect --json` prints it.
[[nodiscard]] ConfigValue to_json(const Inspection& inspection);

}  // namespace grapnel::host
