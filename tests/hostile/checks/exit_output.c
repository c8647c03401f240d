/* It prints to standard output. */
#include <stdio.h>

#include "good.h"

static int32_t GRAPNEL_CALL hook(grapnel_instance* instance, const grapnel_Event* event) {
  (void)event;
  (void)instance;
  puts("a batch");
  return GRAPNEL_OK;
}
GOOD_HOOKS(hook)
GOOD_PLUGIN(hooks, hostile_no_extension)
