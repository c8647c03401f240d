/* It forks, and does not wait. */
#include <unistd.h>

#include "good.h"

static int32_t GRAPNEL_CALL hook(grapnel_instance* instance, const grapnel_Event* event) {
  (void)event;
  if (good_of(instance)->is_set_up) return GRAPNEL_OK;
  good_of(instance)->is_set_up = 1;
  if (fork() == 0) _exit(0);
  return GRAPNEL_OK;
}
GOOD_HOOKS(hook)
GOOD_PLUGIN(hooks, hostile_no_extension)
