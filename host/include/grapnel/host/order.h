// Orders plugins by id, subject to before/after.
//
// The result depends only on the ids and their constraints, never on the order of discovery.
// Constraints on absent plugins are ignored. Aliases count as ids.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace grapnel::host {

struct OrderedItem {
  std::string id;
  std::vector<std::string> aliases;
  std::vector<std::string> before;
  std::vector<std::string> after;
};

struct OrderedPlace {
  std::size_t index = 0;  // into the items given
  std::string reason;     // "after 'ema'": peers that had to come before; empty: none
};

// Each item once. PluginError with the whole cycle if there is one: "'a' after 'b' after 'a'".
[[nodiscard]] std::vector<OrderedPlace> plugin_order(const std::vector<OrderedItem>& items);

}  // namespace grapnel::host
