/* All its instances answer the same state key, whatever their parameters. */
#include "hostile_state.h"

static int32_t GRAPNEL_CALL key(grapnel_instance* instance, grapnel_string* out) {
  (void)instance;
  *out = hostile_text("the same for all");
  return GRAPNEL_OK;
}
static int32_t GRAPNEL_CALL save(grapnel_instance* instance, const grapnel_state_writer* writer) {
  (void)instance;
  return writer->put_i64(writer, hostile_text("number"), 42);
}

HOSTILE_STATE_PLUGIN(key, save, hostile_load_nothing)
