// A training that ended in numbers that are not finite is told so: its checkpoints hold them.
#pragma once

#include <grapnel/metric_dict.h>
#include <grapnel/state_view.h>

namespace grapnel::program {

// One warning, naming the first metric that is NaN, else the first parameter that has a number in it
// that is NaN or infinite, and the plugin that stops a training there.
void warn_of_nan(const MetricDict& metrics, const StateView& state);

}  // namespace grapnel::program
