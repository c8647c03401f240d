/* Its destroy fails. */
#include "good.h"

GOOD_HOOKS(good_batch_end)
static int32_t GRAPNEL_CALL fail_to_end(grapnel_instance* instance) {
  const grapnel_host* host = good_of(instance)->host;
  free(instance);
  return hostile_fail(host, "I stay");
}
static int32_t GRAPNEL_CALL create(const grapnel_factory* factory_of, const grapnel_host* host,
                                   grapnel_instance** instance) {
  (void)factory_of;
  const int32_t status = good_new(host, instance, hooks, 1);
  if (status == GRAPNEL_OK) (*instance)->destroy = fail_to_end;
  return status;
}
HOSTILE_PLUGIN(create)
