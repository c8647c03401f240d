/* Its state is never saved: the function doesn't return. */
#define _POSIX_C_SOURCE 200809L
#include <time.h>

#include "hostile_state.h"

static int32_t GRAPNEL_CALL save(grapnel_instance* instance, const grapnel_state_writer* writer) {
  const struct timespec pause = {3600, 0};
  (void)writer;
  hostile_log(hostile_host(instance), "save hangs now");
  while (nanosleep(&pause, NULL) != 0) { /* a signal ends the pause */
  }
  return GRAPNEL_OK;
}

HOSTILE_STATE_PLUGIN(NULL, save, hostile_load_nothing)
