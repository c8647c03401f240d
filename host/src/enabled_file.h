// plugins.json as text and back.
#pragma once

#include <filesystem>
#include <functional>
#include <string_view>

#include <grapnel/base/json.h>
#include <grapnel/host/enabled.h>

namespace grapnel::host {

// The name of a stored manifest, after its digest.
inline constexpr std::string_view stored_manifest_name = "plugin.json";

// Checks every field. ConfigError that names the file and what to do.
[[nodiscard]] EnabledPlugins parse_enabled(const ConfigValue& root);

// Reads the file, lets `change` edit it, writes it: all under the file's lock. Nothing is written
// when `change` returns false or throws, or when the file cannot be parsed.
void edit_enabled_file(const HostDirectories& directories,
                       const std::function<bool(EnabledPlugins&)>& change);

}  // namespace grapnel::host
