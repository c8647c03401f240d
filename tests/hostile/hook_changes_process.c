/* Its hook of the seventh batch ignores the signals that stop a training, and changes the umask and the
 * working directory. */
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hostile.h"

static int32_t GRAPNEL_CALL batch_end(grapnel_instance* instance, const grapnel_Event* event) {
  static int calls = 0;
  (void)event;
  if (++calls != 7) return GRAPNEL_OK;
  signal(SIGINT, SIG_IGN);
  signal(SIGTERM, SIG_IGN);
  umask(0);
  if (chdir("/") != 0) return hostile_fail(hostile_host(instance), "no /");
  return GRAPNEL_OK;
}
static const grapnel_hook_entry* const hooks[] = {
    HOSTILE_HOOK(GRAPNEL_HOOK_on_train_batch_end, 0, batch_end)};
HOSTILE_PLUGIN_WITH_HOOKS(hooks)
