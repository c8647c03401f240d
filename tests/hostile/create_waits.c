/* create waits, as one that loads much does: it makes the file create_waits.started in the working
 * directory and looks for create_waits.go, for a minute. */
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "hostile.h"

static int32_t GRAPNEL_CALL create(const grapnel_factory* factory_of, const grapnel_host* host,
                                   grapnel_instance** instance) {
  const int started = open("create_waits.started", O_WRONLY | O_CREAT, 0600);
  if (started >= 0) close(started);
  for (int i = 0; i < 6000 && access("create_waits.go", F_OK) != 0; ++i) {
    const struct timespec pause = {0, 10 * 1000 * 1000};
    nanosleep(&pause, NULL);
  }
  return hostile_create(factory_of, host, instance);
}

HOSTILE_PLUGIN(create)
