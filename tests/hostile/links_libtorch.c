/* It is linked with a library that is called as LibTorch's is. */
#include "hostile.h"

int grapnel_hostile_torch(void);

static int32_t GRAPNEL_CALL create(const grapnel_factory* factory_of, const grapnel_host* host,
                                   grapnel_instance** instance) {
  (void)factory_of;
  if (grapnel_hostile_torch() != 1) return hostile_fail(host, "another LibTorch than expected");
  return hostile_new(host, instance, NULL, 0);
}

HOSTILE_PLUGIN(create)
