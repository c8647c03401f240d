/* It aborts while it is loaded. */
#include <stdio.h>

#include "hostile.h"

__attribute__((constructor)) static void at_load(void) {
  fputs("load_aborts: about to abort\n", stderr);
  abort();
}

HOSTILE_PLUGIN(hostile_create)
