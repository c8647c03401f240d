/* Its hook fails when the training fails. */
#include "good.h"

static int32_t GRAPNEL_CALL hook(grapnel_instance* instance, const grapnel_Event* event) {
  (void)instance;
  const grapnel_string type = ((const grapnel_ExceptionEvent*)event)->type;
  return type.size == 5 && memcmp(type.data, "Error", 5) == 0 ? 7 : GRAPNEL_OK;
}
static const grapnel_hook_entry* const hooks[] = {HOSTILE_HOOK(GRAPNEL_HOOK_on_exception, 0, hook)};
GOOD_PLUGIN(hooks, hostile_no_extension)
