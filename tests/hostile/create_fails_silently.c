/* create fails and says nothing. */
#include "hostile.h"

static int32_t GRAPNEL_CALL create(const grapnel_factory* factory_of, const grapnel_host* host,
                                   grapnel_instance** instance) {
  (void)factory_of;
  (void)host;
  (void)instance;
  return GRAPNEL_ERROR;
}

HOSTILE_PLUGIN(create)
