/* A service of the host fails in its hook (an operator gets the wrong arguments), and it carries on. */
#include "wrong_call.h"

static int32_t GRAPNEL_CALL batch_end(grapnel_instance* instance, const grapnel_Event* event) {
  (void)event;
  const int32_t status = hostile_wrong_call(hostile_host(instance));
  return status == GRAPNEL_PENDING ? GRAPNEL_OK : status;
}
static const grapnel_hook_entry* const hooks[] = {
    HOSTILE_HOOK(GRAPNEL_HOOK_on_train_batch_end, 0, batch_end)};
HOSTILE_PLUGIN_WITH_HOOKS(hooks)
