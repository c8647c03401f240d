/* It needs a batch before the training ends. */
#include "good.h"

static int32_t GRAPNEL_CALL at_end(grapnel_instance* instance, const grapnel_Event* event) {
  (void)event;
  if (good_of(instance)->batches != 0) return GRAPNEL_OK;
  return hostile_fail(good_of(instance)->host, "there was no batch");
}
static const grapnel_hook_entry* const hooks[] = {
    HOSTILE_HOOK(GRAPNEL_HOOK_on_train_batch_end, 0, good_batch_end),
    HOSTILE_HOOK(GRAPNEL_HOOK_on_train_end, 0, at_end)};
GOOD_PLUGIN(hooks, hostile_no_extension)
