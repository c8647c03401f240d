/* Its destroy never returns. */
#define _POSIX_C_SOURCE 200809L
#include <time.h>

#include "hostile.h"

static int32_t GRAPNEL_CALL destroy(grapnel_instance* instance) {
  const struct timespec pause = {3600, 0};
  (void)instance;
  hostile_log(hostile_host(instance), "destroy hangs now");
  while (nanosleep(&pause, NULL) != 0) { /* a signal ends the pause */
  }
  return GRAPNEL_OK;
}

static int32_t GRAPNEL_CALL create(const grapnel_factory* factory_of, const grapnel_host* host,
                                   grapnel_instance** instance) {
  const int32_t status = hostile_create(factory_of, host, instance);
  if (status == GRAPNEL_OK) (*instance)->destroy = destroy;
  return status;
}

HOSTILE_PLUGIN(create)
