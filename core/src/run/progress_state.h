// The form of the loop's counters in checkpoints, with Lightning's names.
#pragma once

#include <filesystem>

#include "grapnel/run_state.h"
#include "grapnel/state_dict.h"
#include "run/fit_point.h"

namespace grapnel {

StateDict progress_state(const RunState& state, const FitPoint& point);

// Sets the counters and the point; throws CheckpointError naming the file and the key, having changed
// nothing, when one is missing, or when no training can have had such counters.
void load_progress(const StateDict& loops, RunState& state, FitPoint& point,
                   const std::filesystem::path& file);

}  // namespace grapnel
