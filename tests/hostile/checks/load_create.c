/* Its create fails. */
#include "good.h"

static int32_t refuse(const grapnel_host* host) {
  return hostile_fail(host, "not today");
}
GOOD_HOOKS(good_batch_end)
GOOD_LIFE(hooks, hostile_no_extension, refuse)
