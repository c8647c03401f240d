/* It saves well and refuses to load. */
#include "hostile_state.h"

static int32_t GRAPNEL_CALL save(grapnel_instance* instance, const grapnel_state_writer* writer) {
  (void)instance;
  return writer->put_i64(writer, hostile_text("number"), 42);
}
static int32_t GRAPNEL_CALL load(grapnel_instance* instance, const grapnel_state_reader* reader) {
  (void)reader;
  return hostile_fail(hostile_host(instance), "this state smells of fish");
}

HOSTILE_STATE_PLUGIN(NULL, save, load)
