/* Nothing wrong: it wants a hook that this host doesn't know, and says that it can do without. The known
 * one has to be called all the same: it logs a line. */
#include "hostile.h"

static int32_t GRAPNEL_CALL never(grapnel_instance* instance, const grapnel_Event* event) {
  (void)event;
  return hostile_fail(hostile_host(instance), "an unknown hook was called");
}
static int32_t GRAPNEL_CALL setup(grapnel_instance* instance, const grapnel_Event* event) {
  (void)event;
  hostile_log(hostile_host(instance), "setup was called");
  return GRAPNEL_OK;
}
static const grapnel_hook_entry* const hooks[] = {HOSTILE_HOOK(9999, GRAPNEL_HOOK_OPTIONAL, never),
                                                  HOSTILE_HOOK(GRAPNEL_HOOK_setup, 0, setup)};
HOSTILE_PLUGIN_WITH_HOOKS(hooks)
