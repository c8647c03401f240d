/* It ends the process by the system call. */
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <unistd.h>

#include "hostile.h"

static int32_t GRAPNEL_CALL batch_end(grapnel_instance* instance, const grapnel_Event* event) {
  (void)instance;
  (void)event;
  syscall(SYS_exit_group, 0);
  return GRAPNEL_OK;
}
static const grapnel_hook_entry* const hooks[] = {
    HOSTILE_HOOK(GRAPNEL_HOOK_on_train_batch_end, 0, batch_end)};
HOSTILE_PLUGIN_WITH_HOOKS(hooks)
