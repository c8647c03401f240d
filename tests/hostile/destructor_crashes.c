/* It crashes when the process ends, after all its work. */
#include <unistd.h>

#include "hostile.h"

static int32_t* volatile nowhere;

__attribute__((destructor)) static void at_the_end(void) {
  *nowhere = 1;
}
HOSTILE_PLUGIN(hostile_create)
