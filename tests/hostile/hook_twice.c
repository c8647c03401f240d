/* It wants the same hook twice. */
#include "hostile.h"

static int32_t GRAPNEL_CALL setup(grapnel_instance* instance, const grapnel_Event* event) {
  (void)event;
  hostile_log(hostile_host(instance), "setup was called");
  return GRAPNEL_OK;
}
static const grapnel_hook_entry* const hooks[] = {HOSTILE_HOOK(GRAPNEL_HOOK_setup, 0, setup),
                                                  HOSTILE_HOOK(GRAPNEL_HOOK_setup, 0, setup)};
HOSTILE_PLUGIN_WITH_HOOKS(hooks)
