/* It can't cope with a number that is null. */
#include <grapnel/ext/params.h>

#include "good.h"

/* By both ways to read it: a service that finds nothing is another matter. */
static int32_t is_null(const grapnel_host* host) {
  const grapnel_params* params = hostile_find(host, GRAPNEL_EXT_PARAMS);
  int64_t integer = 0;
  double number = 0;
  if (params == NULL) return 0;
  return params->get_i64(host, hostile_text("number"), &integer) == GRAPNEL_NOT_FOUND &&
         params->get_f64(host, hostile_text("number"), &number) == GRAPNEL_NOT_FOUND;
}
static int32_t GRAPNEL_CALL hook(grapnel_instance* instance, const grapnel_Event* event) {
  (void)event;
  return is_null(good_of(instance)->host) ? 7 : GRAPNEL_OK;
}
GOOD_HOOKS(hook)
GOOD_PLUGIN(hooks, hostile_no_extension)
