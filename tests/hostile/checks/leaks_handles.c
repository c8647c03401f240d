/* It keeps a gradient for ever. */
#include <grapnel/ext/module.h>

#include "good.h"

static int32_t GRAPNEL_CALL hook(grapnel_instance* instance, const grapnel_Event* event) {
  (void)event;
  const grapnel_host* host = good_of(instance)->host;
  const grapnel_module* module = hostile_find(host, GRAPNEL_EXT_MODULE);
  grapnel_tensor* kept = NULL;
  if (module != NULL) (void)module->grad(host, 0, &kept);
  return GRAPNEL_OK;
}
GOOD_HOOKS(hook)
GOOD_PLUGIN(hooks, hostile_no_extension)
