/* Its state is larger than a state may be: bytes in pieces, until the host refuses one. It fails when the
 * host never does, and when the host takes more than the limit. */
#include <grapnel/ext/state.h>
#include <stdio.h>

#include "hostile.h"

static int32_t GRAPNEL_CALL save(grapnel_instance* instance, const grapnel_state_writer* writer) {
  enum { piece = 1 << 22 };
  char* bytes = calloc(1, piece);
  if (bytes == NULL) return hostile_fail(hostile_host(instance), "no memory");
  int32_t status = GRAPNEL_OK;
  uint64_t written = 0;
  for (int i = 0; i < 32 && status == GRAPNEL_OK; ++i) {
    char key[32];
    snprintf(key, sizeof key, "piece%d", i);
    status = writer->put_bytes(writer, hostile_text(key), bytes, piece);
    if (status == GRAPNEL_OK) written += piece;
  }
  free(bytes);
  if (status == GRAPNEL_OK || written > GRAPNEL_STATE_MAX_BYTES) {
    return hostile_fail(hostile_host(instance), "the host took a state over the limit");
  }
  return status;
}
static int32_t GRAPNEL_CALL load(grapnel_instance* instance, const grapnel_state_reader* reader) {
  (void)instance;
  (void)reader;
  return GRAPNEL_OK;
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
