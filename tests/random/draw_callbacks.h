// The sections "callbacks", "plugins" and "loggers" of a random plan.
#pragma once

#include <grapnel/base/json.h>

#include "draw.h"

namespace grapnel::random_test {

struct Surroundings {
  int64_t epochs = 1;
  int64_t batches = 1;  // of an epoch; a guess where the loader doesn't say
  bool validates = true;
  bool manual = false;            // the module steps its optimizers itself
  bool may_accumulate = true;     // the trainer has no accumulation factor of its own
  bool may_change_length = true;  // false when a stop is a limit on the run's length
};

ConfigValue draw_callbacks(Draw& draw, const Surroundings& around);
ConfigValue draw_plugins(Draw& draw, const Surroundings& around);
ConfigValue draw_loggers(Draw& draw);

}  // namespace grapnel::random_test
