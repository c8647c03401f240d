// The order in which a trainer calls its callbacks, and the check of their state keys.
#pragma once

#include <vector>

#include "grapnel/callback.h"

namespace grapnel {

// Tuners first, checkpoints last, the others in between by origin: the user's, the trainer's
// defaults, plugins, the module's. Stable within each.
std::vector<CallbackHandle> ordered(std::vector<CallbackHandle> callbacks);

// Throws ConfigError when two callbacks with state have the same key.
void check_state_keys(const std::vector<CallbackHandle>& callbacks);

}  // namespace grapnel
