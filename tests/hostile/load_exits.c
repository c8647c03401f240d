/* It ends the process, with success, while it is loaded. */
#include <unistd.h>

#include "hostile.h"

__attribute__((constructor)) static void at_load(void) {
  _exit(0);
}

HOSTILE_PLUGIN(hostile_create)
