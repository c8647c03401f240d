/* A second instance beside the first fails. */
#include "good.h"

static int32_t alive = 0;

GOOD_HOOKS(good_batch_end)
static int32_t GRAPNEL_CALL destroy(grapnel_instance* instance) {
  --alive;
  free(instance);
  return GRAPNEL_OK;
}
static int32_t GRAPNEL_CALL create(const grapnel_factory* factory_of, const grapnel_host* host,
                                   grapnel_instance** instance) {
  (void)factory_of;
  if (alive != 0) return hostile_fail(host, "there is one already");
  const int32_t status = good_new(host, instance, hooks, 1);
  if (status != GRAPNEL_OK) return status;
  ++alive;
  (*instance)->destroy = destroy;
  return GRAPNEL_OK;
}
HOSTILE_PLUGIN(create)
