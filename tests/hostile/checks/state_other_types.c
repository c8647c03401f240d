/* It passes on the status of a value of another type. */
#include "good_state.h"

static int32_t GRAPNEL_CALL load(grapnel_instance* instance, const grapnel_state_reader* reader) {
  int64_t batches = 0;
  const int32_t status = good_read(reader, &batches);
  return status == GRAPNEL_INVALID_ARGUMENT ? status : good_load(instance, reader);
}
GOOD_STATE_PLUGIN(NULL, good_save, load)
