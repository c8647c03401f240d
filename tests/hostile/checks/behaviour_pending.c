/* Its hook passes on a failure of the host that did not happen. */
#include "good.h"

static int32_t GRAPNEL_CALL hook(grapnel_instance* instance, const grapnel_Event* event) {
  (void)event;
  (void)instance;
  return GRAPNEL_PENDING;
}
GOOD_HOOKS(hook)
GOOD_PLUGIN(hooks, hostile_no_extension)
