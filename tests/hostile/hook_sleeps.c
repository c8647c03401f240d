/* Its hook takes 10 milliseconds. */
#define _POSIX_C_SOURCE 200809L
#include <time.h>

#include "hostile.h"

static int32_t GRAPNEL_CALL batch_end(grapnel_instance* instance, const grapnel_Event* event) {
  const struct timespec pause = {0, 10 * 1000 * 1000};
  (void)instance;
  (void)event;
  nanosleep(&pause, NULL);
  return GRAPNEL_OK;
}
static const grapnel_hook_entry* const hooks[] = {
    HOSTILE_HOOK(GRAPNEL_HOOK_on_train_batch_end, 0, batch_end)};
HOSTILE_PLUGIN_WITH_HOOKS(hooks)
