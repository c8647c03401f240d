// The training thread's floating-point environment as it was when it was read last. Between two batches
// the program's own code leaves it alone.
#pragma once

#include <grapnel/bridge/hook_thread_local.h>

#include "floating_point.h"

namespace grapnel::bridge {

struct KnownFloatingPoint {
  FloatingPoint value;
  FloatingPoint fast;  // what current_fast() would read
  bool is_known = false;
};
GRAPNEL_HOOK_THREAD_LOCAL extern constinit thread_local KnownFloatingPoint known_floating_point;

}  // namespace grapnel::bridge
