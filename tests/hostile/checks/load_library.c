/* It crashes while it is loaded. */
#include "good.h"

static int32_t* volatile nowhere;

__attribute__((constructor)) static void at_load(void) {
  *nowhere = 1;
}
GOOD_HOOKS(good_batch_end)
GOOD_PLUGIN(hooks, hostile_no_extension)
