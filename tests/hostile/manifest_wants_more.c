/* Its manifest wants an extension that no host has. */
#include "hostile.h"

static int32_t GRAPNEL_CALL create(const grapnel_factory* factory_of, const grapnel_host* host,
                                   grapnel_instance** instance) {
  (void)factory_of;
  return hostile_new(host, instance, NULL, 0);
}
HOSTILE_PLUGIN(create)
