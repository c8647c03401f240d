/* It can be created ninety times. */
#include "good.h"

static int32_t count(const grapnel_host* host) {
  static int32_t created = 0;
  return ++created > 90 ? hostile_fail(host, "enough") : GRAPNEL_OK;
}
GOOD_HOOKS(good_batch_end)
GOOD_LIFE(hooks, hostile_no_extension, count)
