// A plugin's description of itself: plugin.json, read and checked without running any of its code.
//
// The format is described in plugin-sdk/MANIFEST.md. Manifests are untrusted: at most 256 KiB,
// nested at most 16 deep, without duplicate keys. Contradictions are a ConfigError with line and
// column, unknown keys are warnings. library_file.h and discovery.h find the text (in a file next
// to the library, or in a note inside it).
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <grapnel/abi.h>
#include <grapnel/base/json.h>
#include <grapnel/base/parameters.h>

namespace grapnel::host {

inline constexpr std::int64_t manifest_version = 1;
inline constexpr std::size_t max_manifest_bytes = std::size_t{256} << 10;
inline constexpr std::size_t max_manifest_depth = 16;

struct AbiVersion {
  std::int64_t major = 0;
  std::int64_t minor = 0;

  // "0.1"
  [[nodiscard]] std::string to_string() const;
  auto operator<=>(const AbiVersion&) const = default;
};

// What this host offers: plugins written for the lowest minor up to this one run.
inline constexpr AbiVersion host_abi{GRAPNEL_ABI_MAJOR, GRAPNEL_ABI_MINOR};
inline constexpr std::int64_t host_abi_lowest_minor = GRAPNEL_ABI_LOWEST_MINOR;
// The same for people: "0.4 to 0.5".
[[nodiscard]] std::string offered_abi();

// One callback that the plugin makes.
struct CallbackManifest {
  std::string name;     // unique within the plugin; names its factory and its part of run.json
  std::string summary;  // one sentence
  std::vector<std::string> hooks;  // that its instances want, as far as it says (validation.h)
  ParameterTable parameters;
};

struct Manifest {
  std::string id;       // unique among all plugins: "nan_guard"
  std::string name;     // for people: "NaN guard"; the id when not given
  std::string version;  // semantic version 2.0.0: "1.4.0-rc.1"
  std::string license;  // SPDX expression; empty when not given
  std::string summary;  // one sentence
  AbiVersion abi;  // what the library is written for; of several, the one for this host's major
  std::vector<std::string> authors;              // "Ada Lovelace <ada@example.org>"
  std::string homepage;                          // https://...; empty when not given
  std::vector<std::string> critical;             // keys that a host has to understand
  std::vector<std::string> required_extensions;  // "grapnel.trainer/1"
  std::vector<std::string> optional_extensions;
  std::vector<std::string> before;          // ids whose callbacks come after this plugin's
  std::vector<std::string> after;           // ids whose callbacks come before this plugin's
  std::vector<std::string> aliases;         // former ids of this plugin
  std::vector<std::string> platforms;       // "linux-x86_64"; empty: the platform of the library
  std::vector<CallbackManifest> callbacks;  // none in a library that offers other things
  std::string library;  // relative path of the library; only in manifest files; may be empty

  std::string text;                   // the JSON as it was read
  std::vector<std::string> warnings;  // a sentence for each unknown key, or for the first of many

  // nullptr when the plugin has no such callback.
  [[nodiscard]] const CallbackManifest* find(std::string_view callback) const noexcept;
};

// Reads plugin.json. `source` names it in errors ("ema.grapnel.json", "the manifest in ema.so").
// ConfigError for what is not acceptable.
[[nodiscard]] Manifest parse_manifest(std::string_view json, std::string_view source);

// The keys of a manifest that this host knows.
[[nodiscard]] const std::vector<std::string>& known_manifest_keys();

// "linux-x86_64": the platform this program was built for, as `platforms` names it.
[[nodiscard]] std::string_view this_platform() noexcept;

// Extensions that hosts of this release offer, in alphabetical order: "grapnel.aten/1", ...
[[nodiscard]] const std::vector<std::string>& offered_extensions();

// Why this host cannot run the plugin (ABI, platform, a critical key, a required extension), as the end of a
// sentence: "it needs ABI 1.4, this host offers 1.3; update grapnel or ...". Empty when it can.
[[nodiscard]] std::string incompatibility(const Manifest& manifest);

// True for MAJOR.MINOR.PATCH with optional -prerelease and +build (https://semver.org, 2.0.0).
[[nodiscard]] bool is_semantic_version(std::string_view version) noexcept;

}  // namespace grapnel::host
