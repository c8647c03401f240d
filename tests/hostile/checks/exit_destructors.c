/* It crashes when the process ends. */
#include "good.h"

static int32_t* volatile nowhere;

__attribute__((destructor)) static void at_the_end(void) {
  *nowhere = 1;
}
GOOD_HOOKS(good_batch_end)
GOOD_PLUGIN(hooks, hostile_no_extension)
