// The loop's counters as they stand in checkpoints, under Lightning's names.
#pragma once

#include "grapnel/run_state.h"
#include "grapnel/state_dict.h"

namespace grapnel {

StateDict progress_state(const RunState& state);

// Takes the counters over; throws CheckpointError, having changed nothing, when one is missing.
void load_progress(const StateDict& loops, RunState& state);

}  // namespace grapnel
