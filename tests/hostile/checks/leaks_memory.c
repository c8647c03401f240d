/* It frees nothing of what it takes for each batch. */
#include "good.h"

static int32_t GRAPNEL_CALL hook(grapnel_instance* instance, const grapnel_Event* event) {
  (void)event;
  (void)instance;
  static void* volatile latest;
  latest = malloc(1000);
  return latest != NULL ? GRAPNEL_OK : GRAPNEL_ERROR;
}
GOOD_HOOKS(hook)
GOOD_PLUGIN(hooks, hostile_no_extension)
