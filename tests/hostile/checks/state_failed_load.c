/* It forgets what it had before it looks whether it can load. */
#include "good_state.h"

static int32_t GRAPNEL_CALL load(grapnel_instance* instance, const grapnel_state_reader* reader) {
  good_of(instance)->batches = 0;
  return good_load(instance, reader);
}
GOOD_STATE_PLUGIN(NULL, good_save, load)
