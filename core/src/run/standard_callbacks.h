// What the trainer asks of the room of callbacks, which it doesn't include: declared here, defined
// in callbacks/default_callbacks.cpp.
#pragma once

#include <vector>

#include "grapnel/callback.h"
#include "grapnel/trainer_options.h"

namespace grapnel {

// Adds the callbacks that the options ask for and that the user did not give. Throws ConfigError
// when the user's callbacks contradict the options.
void add_default_callbacks(const TrainerOptions& options, std::vector<CallbackHandle>& callbacks);

// Whether the callback logs no metric beyond those that it declares as a MetricSource. Known of the
// built-in callbacks; a class derived from one may log more.
bool logs_only_declared_metrics(const Callback& callback);

}  // namespace grapnel
