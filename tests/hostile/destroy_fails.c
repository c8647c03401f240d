/* destroy frees everything and answers that it failed. */
#include "hostile.h"

static int32_t GRAPNEL_CALL destroy(grapnel_instance* instance) {
  const grapnel_host* host = hostile_host(instance);
  hostile_destroy(instance);
  return hostile_fail(host, "something in there would not go");
}

static int32_t GRAPNEL_CALL create(const grapnel_factory* factory_of, const grapnel_host* host,
                                   grapnel_instance** instance) {
  (void)factory_of;
  const int32_t status = hostile_new(host, instance, NULL, 0);
  if (status == GRAPNEL_OK) (*instance)->destroy = destroy;
  return status;
}

HOSTILE_PLUGIN(create)
