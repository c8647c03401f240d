/* It hangs when the process ends, after all its work. */
#include <unistd.h>

#include "hostile.h"

__attribute__((destructor)) static void at_the_end(void) {
  for (;;) pause();
}
HOSTILE_PLUGIN(hostile_create)
