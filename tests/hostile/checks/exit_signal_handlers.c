/* It takes a signal from the program. */
#include <signal.h>

#include "good.h"

static void ignore(int number) {
  (void)number;
}
static int32_t GRAPNEL_CALL hook(grapnel_instance* instance, const grapnel_Event* event) {
  (void)event;
  (void)instance;
  signal(SIGUSR1, ignore);
  return GRAPNEL_OK;
}
GOOD_HOOKS(hook)
GOOD_PLUGIN(hooks, hostile_no_extension)
