/* Its factory makes a callback that the manifest doesn't name, and none that it names. */
#include "hostile.h"

static int32_t GRAPNEL_CALL create(const grapnel_factory* factory_of, const grapnel_host* host,
                                   grapnel_instance** instance) {
  (void)factory_of;
  return hostile_new(host, instance, NULL, 0);
}
static const grapnel_factory factory = {sizeof(grapnel_factory), 0, {"somebody_else", 13}, create};
static const grapnel_factory* const factories[] = {&factory};
HOSTILE_EXPORT = {sizeof(grapnel_plugin), GRAPNEL_ABI_TARGET, 1, factories, GRAPNEL_MANIFEST, NULL};
