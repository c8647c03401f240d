/* Its table of functions is too short. */
#include "good_state.h"

GOOD_HOOKS(good_batch_end)
static const grapnel_state state = {8, 0, NULL, good_save, good_load};

static int32_t GRAPNEL_CALL get_extension(grapnel_instance* instance, grapnel_string id,
                                          const void** table) {
  (void)instance;
  return hostile_offer(id, GRAPNEL_EXT_STATE, &state, table);
}
GOOD_PLUGIN(hooks, get_extension)
