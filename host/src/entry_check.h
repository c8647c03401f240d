// Whether the constant that a plugin exports is what its manifest and the ABI promise.
#pragma once

#include <string>
#include <string_view>

#include <grapnel/abi.h>
#include <grapnel/host/manifest.h>

namespace grapnel::host {

// What is wrong with the entry, as the end of a sentence that names whose fault it is; empty when it
// can be used: its size, ABI minor and every factory that the manifest's callbacks need.
[[nodiscard]] std::string entry_fault(const grapnel_plugin& entry, const Manifest& manifest);

// nullptr when the plugin has no such factory. The entry has passed entry_fault().
[[nodiscard]] const grapnel_factory* find_factory(const grapnel_plugin& entry,
                                                  std::string_view callback) noexcept;

}  // namespace grapnel::host
