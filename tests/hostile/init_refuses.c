/* init refuses and says why; destroy has to follow, and logs that it did. */
#include "hostile.h"

static int32_t GRAPNEL_CALL refuse(grapnel_instance* instance, const grapnel_host* host) {
  (void)instance;
  return hostile_fail(host, "this plugin wants a moon of cheese");
}

static int32_t GRAPNEL_CALL destroy(grapnel_instance* instance) {
  hostile_log(hostile_host(instance), "destroyed");
  return hostile_destroy(instance);
}

static int32_t GRAPNEL_CALL create(const grapnel_factory* factory_of, const grapnel_host* host,
                                   grapnel_instance** instance) {
  (void)factory_of;
  const int32_t status = hostile_new(host, instance, NULL, 0);
  if (status == GRAPNEL_OK) {
    (*instance)->init = refuse;
    (*instance)->destroy = destroy;
  }
  return status;
}

HOSTILE_PLUGIN(create)
