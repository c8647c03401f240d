// Tells of plugins that take much of a run's time.
#pragma once

#include <grapnel/trainer.h>

namespace grapnel::program {

// A warning for each callback of a plugin that took more than a fifth of the trainer's last run, with
// its most expensive hook. Their time is estimated from a part of the calls; no profiler is needed.
void warn_of_costly_plugins(const Trainer& trainer);

}  // namespace grapnel::program
