/* It writes to address 0 while it is loaded. */
#include "hostile.h"

__attribute__((constructor)) static void at_load(void) {
  volatile int* volatile nowhere = NULL; /* volatile itself, else the compiler knows the address */
  *nowhere = 1;
}

HOSTILE_PLUGIN(hostile_create)
