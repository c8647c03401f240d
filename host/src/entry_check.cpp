#include "entry_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include <grapnel/base/text.h>
#include <grapnel/host/instance_check.h>

namespace grapnel::host {
namespace {

constexpr std::uint64_t max_factories = 1024;
constexpr std::uint64_t max_factory_name = 256;

std::string_view name_of(const grapnel_factory& factory) noexcept {
  return {factory.callback.data, static_cast<std::size_t>(factory.callback.size)};
}

std::string abi_fault(const grapnel_plugin& entry) {
  constexpr std::size_t needed = GRAPNEL_END_OF(grapnel_plugin, factories);
  if (entry.struct_size < needed) {
    return fmt::format("its entry " GRAPNEL_PLUGIN_SYMBOL_NAME
                       " has {} bytes, at least {} are needed; rebuild the plugin",
                       entry.struct_size, needed);
  }
  return target_fault("it was compiled for", {host_abi.major, entry.abi_minor});
}

std::string factory_fault(const grapnel_factory* factory, std::uint64_t index) {
  const auto fault = [&](std::string_view what) {
    return fmt::format("its factory {} {}; rebuild the plugin", index, what);
  };
  if (factory == nullptr) return fault("is NULL");
  if (factory->struct_size < GRAPNEL_END_OF(grapnel_factory, create)) {
    return fault(fmt::format("has {} bytes, at least {} are needed", factory->struct_size,
                             GRAPNEL_END_OF(grapnel_factory, create)));
  }
  if (std::string fault_of_reserved =
          reserved_fault(fmt::format("its factory {}", index), factory->reserved);
      !fault_of_reserved.empty()) {
    return fault_of_reserved;
  }
  const bool has_name = factory->callback.data != nullptr && factory->callback.size > 0 &&
                        factory->callback.size <= max_factory_name;
  if (!has_name || !is_utf8(name_of(*factory))) return fault("has an invalid name");
  if (factory->create == nullptr) return fault("has no function 'create'");
  return {};
}

}  // namespace

std::string offered_abi() {
  if (host_abi.minor == host_abi_lowest_minor) return host_abi.to_string();
  return fmt::format("{} to {}", AbiVersion{host_abi.major, host_abi_lowest_minor}.to_string(),
                     host_abi.to_string());
}

std::string target_fault(std::string_view needs, const AbiVersion& target) {
  const bool is_newer = target.major > host_abi.major ||
                        (target.major == host_abi.major && target.minor > host_abi.minor);
  const bool is_older = target.major < host_abi.major ||
                        (target.major == host_abi.major && target.minor < host_abi_lowest_minor);
  if (!is_newer && !is_older) return {};
  return fmt::format("{} ABI {}, this host offers {}; {}", needs, target.to_string(), offered_abi(),
                     is_newer ? "update grapnel, or install an older release of the plugin"
                              : "install a newer release of the plugin, or rebuild it");
}

std::string entry_fault(const grapnel_plugin& entry, const Manifest& manifest) {
  if (std::string fault = abi_fault(entry); !fault.empty()) return fault;
  if (entry.factory_count > max_factories) {
    return fmt::format(
        "its entry announces {} factories, at most {} are accepted; rebuild the plugin",
        entry.factory_count, max_factories);
  }
  if (entry.factory_count > 0 && entry.factories == nullptr) {
    return fmt::format(
        "its entry announces {} factories, but its list "
        "of factories is NULL; rebuild the plugin",
        entry.factory_count);
  }
  std::vector<std::string> names;
  for (std::uint64_t i = 0; i < entry.factory_count; ++i) {
    if (std::string fault = factory_fault(entry.factories[i], i); !fault.empty()) return fault;
    std::string name(name_of(*entry.factories[i]));
    if (std::ranges::find(names, name) != names.end()) {
      return fmt::format("two of its factories are called {}", quote(name));
    }
    names.push_back(std::move(name));
  }
  for (const CallbackManifest& callback : manifest.callbacks) {
    if (std::ranges::find(names, callback.name) != names.end()) continue;
    return fmt::format(
        "its manifest names the callback '{}', but the library makes only {}; plugin.json "
        "and GRAPNEL_PLUGIN(...) must name the same callbacks",
        callback.name, names.empty() ? "none" : join_quoted(names, "and"));
  }
  return {};
}

const grapnel_factory* find_factory(const grapnel_plugin& entry,
                                    std::string_view callback) noexcept {
  for (std::uint64_t i = 0; i < entry.factory_count; ++i) {
    if (name_of(*entry.factories[i]) == callback) return entry.factories[i];
  }
  return nullptr;
}

}  // namespace grapnel::host
