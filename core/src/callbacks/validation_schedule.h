// When validation runs within fit, as callbacks that check something after it have to know.
#pragma once

#include "grapnel/trainer.h"

namespace grapnel {

// val_check_interval is one whole epoch (1 or 1.0; not a time).
bool checks_once_per_epoch(const TrainerOptions& options);

// There is validation data, as far as is known.
bool has_validation_batches(const Trainer& trainer);

// Validation runs in the running epoch.
bool validates_this_epoch(const Trainer& trainer);

}  // namespace grapnel
