// Whether a plugin's library keeps to itself: what grapnel_add_plugin() takes care of, read from
// the file. A library that does not may bind to another plugin's or LibTorch's functions.
#pragma once

#include <string>
#include <vector>

#include <grapnel/host/library_file.h>

namespace grapnel::host {

struct SealingCheck {
  std::string name;  // "exports only its entry"
  bool ok = true;
  std::string found;  // what speaks against it, and what to do; empty when ok
};

// Every check, in a fixed order, for a library that this system can load.
[[nodiscard]] std::vector<SealingCheck> check_sealing(const LibraryFacts& facts);

}  // namespace grapnel::host
