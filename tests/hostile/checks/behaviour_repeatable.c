/* It logs more the more instances there were. */
#include <grapnel/ext/metrics.h>

#include "good.h"

static int32_t log_number(const grapnel_host* host, const char* name) {
  const grapnel_metrics* metrics = hostile_find(host, GRAPNEL_EXT_METRICS);
  if (metrics == NULL) return GRAPNEL_OK;
  return metrics->log_f64(host, hostile_text(name), 1, NULL);
}

static int32_t lives = 0;

static int32_t GRAPNEL_CALL hook(grapnel_instance* instance, const grapnel_Event* event) {
  (void)event;
  if (lives == 0) return GRAPNEL_OK;
  (void)log_number(good_of(instance)->host, "more");
  return GRAPNEL_OK;
}
GOOD_HOOKS(hook)
static int32_t GRAPNEL_CALL destroy(grapnel_instance* instance) {
  ++lives;
  free(instance);
  return GRAPNEL_OK;
}
static int32_t GRAPNEL_CALL create(const grapnel_factory* factory_of, const grapnel_host* host,
                                   grapnel_instance** instance) {
  (void)factory_of;
  const int32_t status = good_new(host, instance, hooks, 1);
  if (status == GRAPNEL_OK) (*instance)->destroy = destroy;
  return status;
}
HOSTILE_PLUGIN(create)
