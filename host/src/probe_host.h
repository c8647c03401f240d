// The minimal host of a probed callback: parameters and log work, the run is before its first step,
// and everything that needs a model or tensors returns GRAPNEL_NOT_NOW.
#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <grapnel/abi.h>
#include <grapnel/base/error.h>
#include <grapnel/base/parameters.h>
#include <grapnel/ext/plugin.h>

namespace grapnel::host {

class ProbeHost {
 public:
  // site: whose host it is.
  ProbeHost(PluginSite site, Parameters parameters);
  ProbeHost(const ProbeHost&) = delete;
  ProbeHost& operator=(const ProbeHost&) = delete;

  [[nodiscard]] const grapnel_host* abi() const noexcept { return &abi_.table; }
  [[nodiscard]] static ProbeHost& of(const grapnel_host* host) noexcept;

  [[nodiscard]] const Parameters& parameters() const noexcept { return parameters_; }
  [[nodiscard]] const grapnel_plugin_info& plugin_info() const noexcept { return plugin_info_; }
  // Ids that the plugin asked for, once each.
  [[nodiscard]] std::vector<std::string> asked_for() const;
  // The text it gave for its latest failure; empty when it gave none.
  [[nodiscard]] std::string failure() const;
  // True when it called something that only a training offers.
  [[nodiscard]] bool was_refused_a_service() const noexcept { return refused_a_service_; }
  void note_refused_service() noexcept { refused_a_service_ = true; }

 private:
  struct Abi {
    grapnel_host table;
    ProbeHost* self;
  };
  static std::int32_t GRAPNEL_CALL get_extension(const grapnel_host* host, grapnel_string id,
                                                 const void** table);
  static std::int32_t GRAPNEL_CALL fail(const grapnel_host* host, grapnel_string text);

  Abi abi_;
  PluginSite site_;
  grapnel_plugin_info plugin_info_{};  // of the site
  Parameters parameters_;
  mutable std::mutex mutex_;
  std::vector<std::string> asked_for_;
  std::string failure_;
  std::atomic<bool> refused_a_service_ = false;
};

// The table of an extension of the probing host; nullptr for an id that it doesn't know.
[[nodiscard]] const void* probe_extension(std::string_view id) noexcept;

}  // namespace grapnel::host
