/* It never returns from a batch. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <time.h>

#include "hostile.h"

static int32_t GRAPNEL_CALL batch_end(grapnel_instance* instance, const grapnel_Event* event) {
  (void)instance;
  (void)event;
  struct timespec rest = {3600, 0};
  fputs("hook_hangs: from here on\n", stderr);
  while (nanosleep(&rest, &rest) != 0) continue; /* signals end a sleep, but not the hook */
  return GRAPNEL_OK;
}
static const grapnel_hook_entry* const hooks[] = {
    HOSTILE_HOOK(GRAPNEL_HOOK_on_train_batch_end, 0, batch_end)};
HOSTILE_PLUGIN_WITH_HOOKS(hooks)
