/* Its state is larger than a state may be: bytes in pieces, until the host refuses one. It fails when the
 * host never does, and when the host takes more than the limit. */
#include <stdio.h>

#include "hostile_state.h"

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

HOSTILE_STATE_PLUGIN(NULL, save, hostile_load_nothing)
