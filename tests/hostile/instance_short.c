/* Its instance claims to be smaller than the fields that every host needs. */
#include "hostile.h"

static int32_t GRAPNEL_CALL create(const grapnel_factory* factory_of, const grapnel_host* host,
                                   grapnel_instance** instance) {
  (void)factory_of;
  const int32_t status = hostile_new(host, instance, NULL, 0);
  if (status == GRAPNEL_OK) (*instance)->struct_size = 16;
  return status;
}

HOSTILE_PLUGIN(create)
