/* Its instance has neither init nor destroy nor get_extension. */
#include "hostile.h"

static grapnel_instance only;

static int32_t GRAPNEL_CALL create(const grapnel_factory* factory_of, const grapnel_host* host,
                                   grapnel_instance** instance) {
  (void)factory_of;
  (void)host;
  only.struct_size = sizeof only;
  *instance = &only;
  return GRAPNEL_OK;
}

HOSTILE_PLUGIN(create)
