/* Its create changes what belongs to the whole process. */
#include <signal.h>
#include <unistd.h>

#include "hostile.h"

static void ignore(int number) {
  (void)number;
}

static int32_t GRAPNEL_CALL create(const grapnel_factory* factory_of, const grapnel_host* host,
                                   grapnel_instance** instance) {
  (void)factory_of;
  signal(SIGTERM, ignore);
  setenv("GRAPNEL_HOSTILE", "was here", 1);
  if (chdir("/") != 0) return hostile_fail(host, "no /");
  return hostile_new(host, instance, NULL, 0);
}

HOSTILE_PLUGIN(create)
