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

// Whether its class is one of the registry's, not one derived from it.
bool is_built_in_callback(const Callback& callback);

// Whether the callback logs no metric beyond those that it declares as a MetricSource. Known of the
// built-in callbacks; a class derived from one may log more.
bool logs_only_declared_metrics(const Callback& callback);

// Whether the callback's own state tells that the run is to stop, so that it requests that again in a
// resumed run. The stop of any other one is kept in checkpoints until it is carried out.
bool renews_stop(const Callback& callback);

}  // namespace grapnel
