// Counters in the states of schedulers, which come from files.
#pragma once

#include <cstdint>
#include <string>

#include "grapnel/state_dict.h"

namespace grapnel {

// The counter. Throws CheckpointError naming it and the scheduler's type when it is below `least`.
int64_t count_in(const StateDict& state, const char* key, const std::string& type,
                 int64_t least = 0);

}  // namespace grapnel
