/* It makes up a status for numbers that it does not like. */
#include "good_state.h"

static int32_t GRAPNEL_CALL load(grapnel_instance* instance, const grapnel_state_reader* reader) {
  int64_t batches = 0;
  const int32_t status = good_read(reader, &batches);
  if (status == GRAPNEL_OK && (batches < 0 || batches > 1000000)) return 7;
  return good_load(instance, reader);
}
GOOD_STATE_PLUGIN(NULL, good_save, load)
