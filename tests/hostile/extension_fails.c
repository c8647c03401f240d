/* It can't say which extensions it has, and why. */
#include "hostile.h"

static int32_t GRAPNEL_CALL get_extension(grapnel_instance* instance, grapnel_string id,
                                          const void** table) {
  (void)id;
  (void)table;
  return hostile_fail(hostile_host(instance), "the tables are at the carpenter's");
}

HOSTILE_PLUGIN_WITH_EXTENSIONS(get_extension)
