/* It says that it has every extension, and gives no table. */
#include "hostile.h"

static int32_t GRAPNEL_CALL get_extension(grapnel_instance* instance, grapnel_string id,
                                          const void** table) {
  (void)instance;
  (void)id;
  (void)table;
  return GRAPNEL_OK;
}

HOSTILE_PLUGIN_WITH_EXTENSIONS(get_extension)
