/* create fails and says why. */
#include "hostile.h"

static int32_t GRAPNEL_CALL create(const grapnel_factory* factory_of, const grapnel_host* host,
                                   grapnel_instance** instance) {
  (void)factory_of;
  (void)instance;
  return hostile_fail(host, "the weather is bad");
}

HOSTILE_PLUGIN(create)
