/* It makes up a status when a part of its state is missing. */
#include "good_state.h"

static int32_t GRAPNEL_CALL load(grapnel_instance* instance, const grapnel_state_reader* reader) {
  uint64_t count = 0;
  (void)reader->count(reader, &count);
  return count == 1 ? 7 : good_load(instance, reader);
}
GOOD_STATE_PLUGIN(NULL, good_save, load)
