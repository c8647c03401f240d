/* The table of its state extension claims to be too small to hold save and load. */
#include <grapnel/ext/state.h>

#include "hostile.h"

static const grapnel_state state = {8, 0, NULL, NULL, NULL};

static int32_t GRAPNEL_CALL get_extension(grapnel_instance* instance, grapnel_string id,
                                          const void** table) {
  (void)instance;
  return hostile_offer(id, GRAPNEL_EXT_STATE, &state, table);
}

static int32_t GRAPNEL_CALL create(const grapnel_factory* factory_of, const grapnel_host* host,
                                   grapnel_instance** instance) {
  (void)factory_of;
  const int32_t status = hostile_new(host, instance, NULL, 0);
  if (status == GRAPNEL_OK) (*instance)->get_extension = get_extension;
  return status;
}
HOSTILE_PLUGIN(create)
