/* Its hook returns a status that does not exist. */
#include "good.h"

static int32_t GRAPNEL_CALL hook(grapnel_instance* instance, const grapnel_Event* event) {
  (void)event;
  (void)instance;
  return 7;
}
GOOD_HOOKS(hook)
GOOD_PLUGIN(hooks, hostile_no_extension)
