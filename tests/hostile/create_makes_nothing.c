/* create says that all went well, and sets no instance. */
#include "hostile.h"

static int32_t GRAPNEL_CALL create(const grapnel_factory* factory_of, const grapnel_host* host,
                                   grapnel_instance** instance) {
  (void)factory_of;
  (void)host;
  (void)instance;
  return GRAPNEL_OK;
}

HOSTILE_PLUGIN(create)
