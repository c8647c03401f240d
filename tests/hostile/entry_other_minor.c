/* Its entry was compiled with another ABI minor than its manifest says. */
#include "hostile.h"

static int32_t GRAPNEL_CALL create(const grapnel_factory* factory_of, const grapnel_host* host,
                                   grapnel_instance** instance) {
  (void)factory_of;
  return hostile_new(host, instance, NULL, 0);
}

HOSTILE_FACTORY(create)
HOSTILE_EXPORT = {sizeof(grapnel_plugin), 999, 1, factories, GRAPNEL_MANIFEST, NULL};
