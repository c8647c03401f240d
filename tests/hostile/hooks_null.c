/* Its instance counts three hooks and points to none. */
#include "hostile.h"

static int32_t GRAPNEL_CALL create(const grapnel_factory* factory_of, const grapnel_host* host,
                                   grapnel_instance** instance) {
  (void)factory_of;
  return hostile_new(host, instance, NULL, 3);
}

HOSTILE_PLUGIN(create)
