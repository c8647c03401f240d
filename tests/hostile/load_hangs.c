/* It never comes back from being loaded. */
#include <unistd.h>

#include "hostile.h"

__attribute__((constructor)) static void at_load(void) {
  for (;;) pause();
}

HOSTILE_PLUGIN(hostile_create)
