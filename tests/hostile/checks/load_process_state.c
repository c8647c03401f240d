/* It changes the environment while it is loaded. */
#include <unistd.h>

#include "good.h"

__attribute__((constructor)) static void at_load(void) {
  setenv("GRAPNEL_HOSTILE", "was here", 1);
}
GOOD_HOOKS(good_batch_end)
GOOD_PLUGIN(hooks, hostile_no_extension)
