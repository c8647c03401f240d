/* Its save puts a number and then fails. */
#include "hostile_state.h"

static int32_t GRAPNEL_CALL save(grapnel_instance* instance, const grapnel_state_writer* writer) {
  writer->put_i64(writer, hostile_text("half"), 1);
  return hostile_fail(hostile_host(instance), "nothing worth keeping");
}

HOSTILE_STATE_PLUGIN(NULL, save, hostile_load_nothing)
