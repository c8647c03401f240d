/* It makes up a status when its state has no entries. */
#include "good_state.h"

static int32_t GRAPNEL_CALL load(grapnel_instance* instance, const grapnel_state_reader* reader) {
  uint64_t count = 0;
  (void)reader->count(reader, &count);
  return count == 0 ? 7 : good_load(instance, reader);
}
GOOD_STATE_PLUGIN(NULL, good_save, load)
