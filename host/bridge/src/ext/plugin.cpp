// Extension plugin.
#include <grapnel/ext/plugin.h>

#if __has_include(<torch/headeronly/version.h>)
#include <torch/headeronly/version.h>
#else
#include <torch/csrc/api/include/torch/version.h>
#endif

#include <memory>
#include <string>

#include <grapnel/base/text.h>
#include <grapnel/base/utf8.h>
#include <grapnel/host/plugin_data.h>

#include "../instance_host.h"
#include "extensions.h"
#include "plugin_identity.h"

namespace grapnel::bridge {
namespace {

PluginIdentity& identity_of(InstanceHost& self) {
  if (self.identity != nullptr) return *self.identity;
  auto made = std::make_unique<PluginIdentity>();
  // A path that isn't UTF-8 can't be told.
  if (std::string path = path_text(self.origin_directory()); is_utf8(path)) {
    made->origin_directory = std::move(path);
  }
  const PluginSite& site = self.site();
  made->info = {sizeof made->info,
                0,
                to_abi(site.plugin),
                to_abi(site.version),
                to_abi(site.callback),
                to_abi(self.label()),
                to_abi(made->origin_directory),
                to_abi(TORCH_VERSION)};
  self.identity = std::move(made);
  return *self.identity;
}

std::int32_t GRAPNEL_CALL info(const grapnel_host* host,
                               const grapnel_plugin_info** result) noexcept {
  return service(host, "plugin.info", [&](InstanceHost& self) {
    check_output(result);
    *result = &identity_of(self).info;
    return GRAPNEL_OK;
  });
}

std::int32_t GRAPNEL_CALL data_directory(const grapnel_host* host, grapnel_string* path) noexcept {
  return service(host, "plugin.data_directory", [&](InstanceHost& self) {
    check_output(path);
    PluginIdentity& identity = identity_of(self);
    if (identity.data_directory.empty()) {
      const std::string text = path_text(host::make_plugin_data_directory(
          self.site().plugin, host::HostDirectories::of_this_user()));
      if (!is_utf8(text)) throw self.error("its data directory, " + quote(text) + ", isn't UTF-8");
      identity.data_directory = text;
    }
    *path = to_abi(identity.data_directory);
    return GRAPNEL_OK;
  });
}

}  // namespace

const grapnel_plugin_services kPlugin = {sizeof(grapnel_plugin_services), 0, &info,
                                         &data_directory};

}  // namespace grapnel::bridge
