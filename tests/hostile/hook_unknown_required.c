/* It cannot do without a hook that this host doesn't know. */
#include "hostile.h"

static int32_t GRAPNEL_CALL never(grapnel_instance* instance, const grapnel_Event* event) {
  (void)event;
  return hostile_fail(hostile_host(instance), "an unknown hook was called");
}
static const grapnel_hook_entry* const hooks[] = {HOSTILE_HOOK(9999, 0, never)};
HOSTILE_PLUGIN_WITH_HOOKS(hooks)
