/* create starts a process that detaches itself and stays for a minute; its id is on standard error. */
#include <stdio.h>
#include <unistd.h>

#include "hostile.h"

static int32_t GRAPNEL_CALL create(const grapnel_factory* factory_of, const grapnel_host* host,
                                   grapnel_instance** instance) {
  (void)factory_of;
  const pid_t middle = fork();
  if (middle == 0) {
    setsid();
    const pid_t detached = fork();
    if (detached > 0) {
      fprintf(stderr, "left %d\n", (int)detached);
      _exit(0);
    }
    close(STDERR_FILENO);
    close(STDOUT_FILENO);
    sleep(60);
    _exit(0);
  }
  return hostile_new(host, instance, NULL, 0);
}

HOSTILE_PLUGIN(create)
