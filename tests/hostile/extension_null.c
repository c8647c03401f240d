/* It says that it has every extension, and gives no table. */
#include "hostile.h"

static int32_t GRAPNEL_CALL get_extension(grapnel_instance* instance, grapnel_string id,
                                          const void** table) {
  (void)instance;
  (void)id;
  (void)table;
  return GRAPNEL_OK;
}

static int32_t GRAPNEL_CALL create(const grapnel_factory* factory_of, const grapnel_host* host,
                                   grapnel_instance** instance) {
  (void)factory_of;
  const int32_t status = hostile_new(host, instance, NULL, 0);
  if (status == GRAPNEL_OK) (*instance)->get_extension = get_extension;
  return status;
}
HOSTILE_PLUGIN(create)
