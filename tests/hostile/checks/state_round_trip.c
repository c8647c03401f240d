/* It forgets what it loads. */
#include "good_state.h"

static int32_t GRAPNEL_CALL load(grapnel_instance* instance, const grapnel_state_reader* reader) {
  int64_t batches = 0;
  if (good_read(reader, &batches) == GRAPNEL_OK) return GRAPNEL_OK;
  return hostile_fail(good_of(instance)->host, "no number of batches and unit in this state");
}
GOOD_STATE_PLUGIN(NULL, good_save, load)
