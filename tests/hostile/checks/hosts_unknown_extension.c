/* It gives a table for every extension that it does not know. */
#include "good.h"

static int32_t GRAPNEL_CALL get_extension(grapnel_instance* instance, grapnel_string id,
                                          const void** table) {
  static const char known[] = "grapnel.moon_of_cheese/1";
  static const uint32_t nothing[2] = {sizeof nothing, 0};
  (void)instance;
  return hostile_offer(id, known, nothing, table);
}
GOOD_HOOKS(good_batch_end)
GOOD_PLUGIN(hooks, get_extension)
