/* It is written for the lowest minor, and refuses a host of it. */
#include "good.h"

static int32_t refuse_old(const grapnel_host* host) {
  return host->abi_minor > GRAPNEL_ABI_LOWEST_MINOR ? GRAPNEL_OK : hostile_fail(host, "too old");
}
GOOD_HOOKS(good_batch_end)
GOOD_LIFE(hooks, hostile_no_extension, refuse_old)
