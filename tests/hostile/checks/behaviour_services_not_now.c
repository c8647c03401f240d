/* It makes up a status where a service of the host is not possible now. */
#include <grapnel/ext/metrics.h>

#include "good.h"

static int32_t log_number(const grapnel_host* host, const char* name) {
  const grapnel_metrics* metrics = hostile_find(host, GRAPNEL_EXT_METRICS);
  if (metrics == NULL) return GRAPNEL_OK;
  return metrics->log_f64(host, hostile_text(name), 1, NULL);
}
static int32_t GRAPNEL_CALL hook(grapnel_instance* instance, const grapnel_Event* event) {
  (void)event;
  const int32_t status = log_number(good_of(instance)->host, "one");
  return status == GRAPNEL_NOT_NOW ? 7 : GRAPNEL_OK;
}
GOOD_HOOKS(hook)
GOOD_PLUGIN(hooks, hostile_no_extension)
