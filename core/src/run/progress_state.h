// The form of the loop's counters in checkpoints, with Lightning's names.
#pragma once

#include "grapnel/run_state.h"
#include "grapnel/state_dict.h"

namespace grapnel {

StateDict progress_state(const RunState& state);

// Sets the counters; throws CheckpointError, having changed nothing, when one is missing.
void load_progress(const StateDict& loops, RunState& state);

}  // namespace grapnel
