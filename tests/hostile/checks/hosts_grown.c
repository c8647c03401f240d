/* It takes only events of the size that it knows. */
#include "good.h"

static int32_t GRAPNEL_CALL hook(grapnel_instance* instance, const grapnel_Event* event) {
  if (event->struct_size == sizeof(grapnel_TrainBatchEnd)) return GRAPNEL_OK;
  return hostile_fail(good_of(instance)->host, "this event is too long");
}
GOOD_HOOKS(hook)
GOOD_PLUGIN(hooks, hostile_no_extension)
