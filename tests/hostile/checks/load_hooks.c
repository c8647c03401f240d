/* It wants one hook twice. */
#include "good.h"

static const grapnel_hook_entry* const hooks[] = {
    HOSTILE_HOOK(GRAPNEL_HOOK_on_train_batch_end, 0, good_batch_end),
    HOSTILE_HOOK(GRAPNEL_HOOK_on_train_batch_end, 0, good_batch_end)};
GOOD_PLUGIN(hooks, hostile_no_extension)
