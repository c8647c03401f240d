#include "dispatch/callback_order.h"

#include <fmt/format.h>

#include <algorithm>

#include "grapnel/base/error.h"

namespace grapnel {

std::vector<CallbackHandle> ordered(std::vector<CallbackHandle> callbacks) {
  std::stable_sort(callbacks.begin(), callbacks.end(), [](const auto& a, const auto& b) {
    const auto place_a = a.callback->place();
    const auto place_b = b.callback->place();
    if (place_a != place_b) return place_a < place_b;
    return place_a == Callback::Place::ordinary && a.origin < b.origin;
  });
  return callbacks;
}

void check_state_keys(const std::vector<CallbackHandle>& callbacks) {
  for (size_t i = 0; i < callbacks.size(); ++i) {
    if (!callbacks[i].has_state) continue;
    for (size_t j = i + 1; j < callbacks.size(); ++j) {
      if (!callbacks[j].has_state) continue;
      const std::string key = callbacks[i].callback->state_key();
      if (key != callbacks[j].callback->state_key()) continue;
      throw ConfigError::of(
          "",
          "two callbacks of class {} have the same state_key \"{}\", so one would overwrite the "
          "other's state in checkpoints; give one of them another name (set_name, or \"label\" in "
          "run.json)",
          callbacks[j].callback->type_name(), key);
    }
  }
}

}  // namespace grapnel
