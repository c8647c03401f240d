// For what keeps a state beside the run's own, such as random generators: which part of a fit the run
// that is resumed from a checkpoint does again.
//
// A checkpoint that is written within a batch, before its optimizer's step, has that batch done again,
// and one that is written within a validation has that validation done again (docs/runs.md). What such
// a state was at the part's beginning belongs into the checkpoint. [train-thread]
#pragma once

#include <cstdint>

#include "grapnel/export.h"

namespace grapnel {

// The number of the batch or validation that began last, of any fit on this thread; it grows. 0: none has.
GRAPNEL_CORE_API uint64_t present_part() noexcept;

// While this thread puts a checkpoint together: the number of the part that is done again. 0: none.
GRAPNEL_CORE_API uint64_t repeated_part() noexcept;

}  // namespace grapnel
