// Checks that the constant a plugin exports matches its manifest and the ABI.
#pragma once

#include <string>
#include <string_view>

#include <grapnel/abi.h>
#include <grapnel/host/manifest.h>

namespace grapnel::host {

// What is wrong with the entry (its size, ABI minor, or a factory that the manifest's callbacks
// need), as the end of a sentence; empty when it can be used.
[[nodiscard]] std::string entry_fault(const grapnel_plugin& entry, const Manifest& manifest);

// Whether this host runs plugins that are written for the target, as a plugin's library or manifest
// names it: the end of a sentence that says why not, or empty. `needs`: "it needs", "it was compiled
// for".
[[nodiscard]] std::string target_fault(std::string_view needs, const AbiVersion& target);

// nullptr when the plugin has no such factory. The entry has passed entry_fault().
[[nodiscard]] const grapnel_factory* find_factory(const grapnel_plugin& entry,
                                                  std::string_view callback) noexcept;

}  // namespace grapnel::host
