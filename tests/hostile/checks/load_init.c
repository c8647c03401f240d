/* Its init refuses. */
#include "good.h"

GOOD_HOOKS(good_batch_end)
static int32_t GRAPNEL_CALL refuse(grapnel_instance* instance, const grapnel_host* host) {
  (void)instance;
  return hostile_fail(host, "not in this host");
}
static int32_t GRAPNEL_CALL create(const grapnel_factory* factory_of, const grapnel_host* host,
                                   grapnel_instance** instance) {
  (void)factory_of;
  const int32_t status = good_new(host, instance, hooks, 1);
  if (status == GRAPNEL_OK) (*instance)->init = refuse;
  return status;
}
HOSTILE_PLUGIN(create)
