/* It says that it has a state, and gives no table. */
#include <grapnel/ext/state.h>

#include "good.h"

static int32_t GRAPNEL_CALL get_extension(grapnel_instance* instance, grapnel_string id,
                                          const void** table) {
  (void)instance;
  return hostile_offer(id, GRAPNEL_EXT_STATE, NULL, table);
}
GOOD_HOOKS(good_batch_end)
GOOD_PLUGIN(hooks, get_extension)
