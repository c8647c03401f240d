#include "probe_host.h"

#include <algorithm>

namespace grapnel::host {
namespace {

constexpr std::string_view kHostName = "grapnel";
constexpr std::string_view kHostVersion = GRAPNEL_VERSION;

std::string text_of(grapnel_string text) {
  return text.data == nullptr ? std::string()
                              : std::string(text.data, static_cast<std::size_t>(text.size));
}

}  // namespace

ProbeHost::ProbeHost(PluginSite site, Parameters parameters)
    : abi_{.table = {.struct_size = sizeof(grapnel_host),
                     .abi_minor = GRAPNEL_ABI_MINOR,
                     .name = {kHostName.data(), kHostName.size()},
                     .version = {kHostVersion.data(), kHostVersion.size()},
                     .get_extension = &ProbeHost::get_extension,
                     .fail = &ProbeHost::fail},
           .self = this},
      site_(std::move(site)),
      parameters_(std::move(parameters)) {
  const auto to_abi = [](std::string_view text) {
    return grapnel_string{text.data(), text.size()};
  };
  plugin_info_.struct_size = sizeof plugin_info_;
  plugin_info_.id = to_abi(site_.plugin);
  plugin_info_.version = to_abi(site_.version);
  plugin_info_.callback = to_abi(site_.callback);
}

ProbeHost& ProbeHost::of(const grapnel_host* host) noexcept {
  return *reinterpret_cast<const Abi*>(host)->self;
}

std::vector<std::string> ProbeHost::asked_for() const {
  const std::lock_guard lock(mutex_);
  return asked_for_;
}

std::string ProbeHost::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

std::int32_t GRAPNEL_CALL ProbeHost::get_extension(const grapnel_host* host, grapnel_string id,
                                                   const void** table) {
  ProbeHost& self = of(host);
  const std::string text = text_of(id);
  const std::lock_guard lock(self.mutex_);
  if (std::ranges::find(self.asked_for_, text) == self.asked_for_.end()) {
    self.asked_for_.push_back(text);
  }
  const void* const found = probe_extension(text);
  if (found == nullptr) return GRAPNEL_NOT_FOUND;
  *table = found;
  return GRAPNEL_OK;
}

std::int32_t GRAPNEL_CALL ProbeHost::fail(const grapnel_host* host, grapnel_string text) {
  ProbeHost& self = of(host);
  const std::lock_guard lock(self.mutex_);
  self.failure_ = text_of(text);
  return GRAPNEL_OK;
}

}  // namespace grapnel::host
