/* It wants a hook and gives no function for it. */
#include "hostile.h"

static const grapnel_hook_entry* const hooks[] = {
    HOSTILE_HOOK(GRAPNEL_HOOK_on_train_batch_end, 0, NULL)};
HOSTILE_PLUGIN_WITH_HOOKS(hooks)
