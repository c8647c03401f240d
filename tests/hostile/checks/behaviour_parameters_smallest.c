/* It can't cope with a number at its minimum. */
#include <grapnel/ext/params.h>

#include "good.h"

static int64_t number(const grapnel_host* host) {
  const grapnel_params* params = hostile_find(host, GRAPNEL_EXT_PARAMS);
  int64_t value = 5;
  if (params != NULL) (void)params->get_i64(host, hostile_text("number"), &value);
  return value;
}
static int32_t GRAPNEL_CALL hook(grapnel_instance* instance, const grapnel_Event* event) {
  (void)event;
  return number(good_of(instance)->host) == 1 ? 7 : GRAPNEL_OK;
}
GOOD_HOOKS(hook)
GOOD_PLUGIN(hooks, hostile_no_extension)
