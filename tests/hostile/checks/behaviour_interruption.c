/* Its hook fails when the training gets a signal. */
#include "good.h"

static int32_t GRAPNEL_CALL hook(grapnel_instance* instance, const grapnel_Event* event) {
  (void)event;
  return hostile_fail(good_of(instance)->host, "no");
}
static const grapnel_hook_entry* const hooks[] = {HOSTILE_HOOK(GRAPNEL_HOOK_on_signal, 0, hook)};
GOOD_PLUGIN(hooks, hostile_no_extension)
