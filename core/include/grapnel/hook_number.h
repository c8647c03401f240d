// Tells the firings of hooks from each other, for what several receivers of one share.
#pragma once

#include <cstdint>

#include "grapnel/export.h"

namespace grapnel {

// The number of the hook that a Dispatcher fires on this thread now: the same for all callbacks that
// it reaches, never that of another firing. A hook within a hook has its own, after which the outer
// one's counts again. 0: none runs.
GRAPNEL_CORE_API uint64_t hook_number() noexcept;

}  // namespace grapnel
