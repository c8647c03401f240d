/* It needs the extension that its manifest calls optional. */
#include <grapnel/ext/metrics.h>

#include "good.h"

static int32_t need(const grapnel_host* host) {
  return hostile_find(host, GRAPNEL_EXT_METRICS) != NULL ? GRAPNEL_OK
                                                         : hostile_fail(host, "no metrics");
}
GOOD_HOOKS(good_batch_end)
GOOD_LIFE(hooks, hostile_no_extension, need)
