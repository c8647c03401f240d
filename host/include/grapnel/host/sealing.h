// Checks that a plugin's library is sealed, as grapnel_add_plugin() builds it, from its file. An
// unsealed library may bind to functions of other plugins or of LibTorch.
#pragma once

#include <string>
#include <vector>

#include <grapnel/host/library_file.h>

namespace grapnel::host {

struct SealingCheck {
  std::string name;  // "exports only its entry"
  bool ok = true;
  std::string found;  // why it fails, and what to do; empty when ok
};

// Every check, in a fixed order, for a library that this system can load.
[[nodiscard]] std::vector<SealingCheck> check_sealing(const LibraryFacts& facts);

}  // namespace grapnel::host
