/* It freezes a parameter for ever. */
#include <grapnel/ext/module.h>

#include "good.h"

static int32_t GRAPNEL_CALL hook(grapnel_instance* instance, const grapnel_Event* event) {
  (void)event;
  if (good_of(instance)->is_set_up) return GRAPNEL_OK;
  good_of(instance)->is_set_up = 1;
  const grapnel_host* host = good_of(instance)->host;
  const grapnel_module* module = hostile_find(host, GRAPNEL_EXT_MODULE);
  const uint64_t parameter = 0;
  grapnel_lease* lease = NULL;
  if (module != NULL) (void)module->freeze(host, &parameter, 1, hostile_text("for ever"), &lease);
  return GRAPNEL_OK;
}
GOOD_HOOKS(hook)
GOOD_PLUGIN(hooks, hostile_no_extension)
