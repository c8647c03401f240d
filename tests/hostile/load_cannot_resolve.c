/* It calls a function that is nowhere: not sealed with -z defs, so only the loader notices. */
#include "hostile.h"

void grapnel_hostile_function_that_is_nowhere(void);

static int32_t GRAPNEL_CALL create(const grapnel_factory* factory_of, const grapnel_host* host,
                                   grapnel_instance** instance) {
  (void)factory_of;
  grapnel_hostile_function_that_is_nowhere();
  return hostile_new(host, instance, NULL, 0);
}

HOSTILE_PLUGIN(create)
