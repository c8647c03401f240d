// A list of what an optimizer's state holds, next to it in a checkpoint: a parameter without state
// is usual (it had no gradient yet), so only the list tells that one is missing.
#pragma once

#include <string_view>

#include "grapnel/state_dict.h"

namespace grapnel {

// Adds to each of the "groups" of a state "with_state": {"exp_avg": [index, ...], ...}.
void list_state(StateDict& optimizer);

// Throws CheckpointError unless all that was listed is there. Without a list (files of earlier
// builds): unless parameters of a group that have some state all have the same. type: for the text.
void check_listed_state(const StateDict& optimizer, std::string_view type);

}  // namespace grapnel
