/* Its create never returns. */
#define _POSIX_C_SOURCE 200809L
#include <time.h>

#include "hostile.h"

static int32_t GRAPNEL_CALL create(const grapnel_factory* factory_of, const grapnel_host* host,
                                   grapnel_instance** instance) {
  const struct timespec pause = {3600, 0};
  (void)factory_of;
  (void)instance;
  hostile_log(host, "create hangs now");
  while (nanosleep(&pause, NULL) != 0) { /* a signal ends the pause */
  }
  return GRAPNEL_OK;
}

HOSTILE_PLUGIN(create)
