/* It ends the process, with success, while it is loaded. */
#include <unistd.h>

#include "hostile.h"

__attribute__((constructor)) static void at_load(void) {
  _exit(0);
}

static int32_t GRAPNEL_CALL create(const grapnel_factory* factory_of, const grapnel_host* host,
                                   grapnel_instance** instance) {
  (void)factory_of;
  return hostile_new(host, instance, NULL, 0);
}
HOSTILE_PLUGIN(create)
