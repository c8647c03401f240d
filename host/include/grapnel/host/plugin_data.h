// The directories in which plugins keep what is theirs between runs.
#pragma once

#include <filesystem>
#include <string_view>

#include <grapnel/host/discovery.h>

namespace grapnel::host {

// The plugin's directory, <data>/plugin_data/ID, made if it isn't there, for this user alone. IoError
// when it can't be made; PluginError when others could write to it.
[[nodiscard]] std::filesystem::path make_plugin_data_directory(std::string_view plugin,
                                                               const HostDirectories& directories);

}  // namespace grapnel::host
