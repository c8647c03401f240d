/* It writes to address 0 while it is loaded. */
#include "hostile.h"

__attribute__((constructor)) static void at_load(void) {
  volatile int* volatile nowhere = NULL; /* volatile itself, else the compiler knows the address */
  *nowhere = 1;
}

static int32_t GRAPNEL_CALL create(const grapnel_factory* factory_of, const grapnel_host* host,
                                   grapnel_instance** instance) {
  (void)factory_of;
  return hostile_new(host, instance, NULL, 0);
}
HOSTILE_PLUGIN(create)
