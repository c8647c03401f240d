/* It saves well and refuses to load. */
#include <grapnel/ext/state.h>

#include "hostile.h"

static int32_t GRAPNEL_CALL save(grapnel_instance* instance, const grapnel_state_writer* writer) {
  (void)instance;
  return writer->put_i64(writer, hostile_text("number"), 42);
}
static int32_t GRAPNEL_CALL load(grapnel_instance* instance, const grapnel_state_reader* reader) {
  (void)reader;
  return hostile_fail(hostile_host(instance), "this state smells of fish");
}
static const grapnel_state state = {sizeof(grapnel_state), 0, NULL, save, load};

static int32_t GRAPNEL_CALL get_extension(grapnel_instance* instance, grapnel_string id,
                                          const void** table) {
  (void)instance;
  return hostile_offer(id, GRAPNEL_EXT_STATE, &state, table);
}

static int32_t GRAPNEL_CALL create(const grapnel_factory* factory_of, const grapnel_host* host,
                                   grapnel_instance** instance) {
  (void)factory_of;
  const int32_t status = hostile_new(host, instance, NULL, 0);
  if (status == GRAPNEL_OK) (*instance)->get_extension = get_extension;
  return status;
}
HOSTILE_PLUGIN(create)
