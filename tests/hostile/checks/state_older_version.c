/* It makes up a status for the state of an older version. */
#include "good_state.h"

static int32_t GRAPNEL_CALL load(grapnel_instance* instance, const grapnel_state_reader* reader) {
  const grapnel_string version = reader->version;
  const int32_t is_old = version.size == 5 && memcmp(version.data, "0.0.1", 5) == 0;
  return is_old ? 7 : good_load(instance, reader);
}
GOOD_STATE_PLUGIN(NULL, good_save, load)
