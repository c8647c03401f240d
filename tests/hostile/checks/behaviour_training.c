/* Its hook fails. */
#include "good.h"

static int32_t GRAPNEL_CALL hook(grapnel_instance* instance, const grapnel_Event* event) {
  (void)event;
  return hostile_fail(good_of(instance)->host, "I don't like this batch");
}
GOOD_HOOKS(hook)
GOOD_PLUGIN(hooks, hostile_no_extension)
