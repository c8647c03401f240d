// Finds, describes and checks the plugins in the search path, without running their code.
//
// A directory contains libraries, manifests NAME.grapnel.json that name a library in the same
// directory or below, or both. Directories are searched in order and the first plugin of an id
// wins; later ones are listed as shadowed. Plugins that cannot be used are listed too, with the
// reason. Descriptions are cached by path, size, inode, mtime and ctime, so that listing a thousand
// plugins takes milliseconds; a damaged or missing cache only costs time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <grapnel/base/platform.h>
#include <grapnel/host/manifest.h>

namespace grapnel::host {

// The host's directories. Absolute; need not exist.
struct HostDirectories {
  std::filesystem::path config;     // the record of enabled plugins
  std::filesystem::path data;       // the store; drop-in plugins in data/plugins
  std::filesystem::path cache;      // descriptions of discovered plugins, results of probes
  std::filesystem::path project;    // its .grapnel/plugins is searched; the working directory
  std::filesystem::path installed;  // plugins installed with grapnel: <prefix>/lib/grapnel/plugins

  // The user's directories (XDG on Linux), the working directory, and those of this installation. A
  // user without a home gets some that can't exist.
  [[nodiscard]] static HostDirectories of_this_user();
};

enum class SearchOrigin : std::uint8_t {
  option,       // --plugin-path
  environment,  // GRAPNEL_PLUGIN_PATH
  project,      // ./.grapnel/plugins
  user,         // the user's data directory
  installed,    // installed with grapnel
  file,         // named by path: --plugin FILE, enable FILE
};

// "option", "environment", "project", "user", "installed", "file"
[[nodiscard]] std::string_view to_string(SearchOrigin origin) noexcept;

struct SearchDirectory {
  std::filesystem::path path;  // absolute
  SearchOrigin origin = SearchOrigin::option;
  bool exists = false;
};

// In the order in which they are searched, first wins. `command_line` holds what --plugin-path
// gave: each entry may be a list of directories. GRAPNEL_PLUGIN_PATH is read here.
[[nodiscard]] std::vector<SearchDirectory> plugin_search_path(
    const std::vector<std::string>& command_line, const HostDirectories& directories);

// The part of a manifest that lists show; the whole is read by read_manifest().
struct PluginSummary {
  std::string id;
  std::string name;
  std::string version;
  std::string license;
  std::string summary;
  AbiVersion abi;
  std::vector<std::string> aliases;
  std::vector<std::string> callbacks;
};

struct Candidate {
  std::filesystem::path library{};  // absolute, links resolved; where it should be when missing
  FileIdentity identity{};          // of the library when it was read; all zero when missing
  std::filesystem::path manifest_file{};  // next to the library; empty: embedded in the library
  FileIdentity manifest_identity{};  // of manifest_file when it was read; all zero when embedded
  PluginSummary summary{};           // its id is empty when no manifest could be read
  std::string refused{};             // why it can't be used: "it needs ABI 1.4, ..."; or empty

  // The whole manifest, shared with everything that uses the plugin. Null when it could not be read
  // and when `summary` came from the cache: read_manifest() reads it then.
  std::shared_ptr<const Manifest> manifest{};
  SearchOrigin origin = SearchOrigin::option;
  std::filesystem::path shadowed_by{};  // the library of the same id that comes first; or empty

  [[nodiscard]] bool usable() const noexcept { return refused.empty() && shadowed_by.empty(); }
  // The id, or the library's stem where there is none.
  [[nodiscard]] std::string label() const;
  // "'ema' 1.2.0 (/usr/lib/grapnel/plugins/ema.so)", for messages.
  [[nodiscard]] std::string describe() const;
};

struct DiscoveryOptions {
  std::vector<std::string> plugin_path;  // --plugin-path
  HostDirectories directories = HostDirectories::of_this_user();
  bool use_cache = true;
};

struct Discovery {
  std::vector<SearchDirectory> directories;
  std::vector<Candidate> candidates;  // in order of directory, then of file name
  // Of usable candidates, by id and by former id: places in `candidates`. Made by discover().
  std::unordered_map<std::string, std::size_t> by_id{};
  std::unordered_map<std::string, std::size_t> by_former_id{};

  // The usable candidate with the id or former id; nullptr when there is none.
  [[nodiscard]] const Candidate* find(const std::string& id) const& noexcept;
  const Candidate* find(const std::string& id) const&& = delete;  // it would dangle
  // "All plugins": the first candidate of each id that is not refused, except those of the project,
  // which somebody else may have put there: they run only when the user names or enables them.
  [[nodiscard]] std::vector<const Candidate*> drop_ins() const&;
  std::vector<const Candidate*> drop_ins() const&& = delete;
};

// Searches every directory of the search path. Never throws because of a directory's contents.
[[nodiscard]] Discovery discover(const DiscoveryOptions& options);

// One library or manifest named by path. IoError when there is no such file; every other problem is
// reported in `refused`.
[[nodiscard]] Candidate examine(const std::filesystem::path& file);

// `candidate.manifest`, or the manifest read from its file. ConfigError, DataError or IoError when
// it can't be read.
[[nodiscard]] std::shared_ptr<const Manifest> read_manifest(const Candidate& candidate);

}  // namespace grapnel::host
