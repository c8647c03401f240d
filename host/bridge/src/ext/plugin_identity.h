// What an instance is told about itself by the extension plugin; made when it first asks.
#pragma once

#include <grapnel/ext/plugin.h>

#include <string>

namespace grapnel::bridge {

struct PluginIdentity {
  std::string origin_directory;
  std::string data_directory;  // empty: not asked for yet
  grapnel_plugin_info info{};
};

}  // namespace grapnel::bridge
