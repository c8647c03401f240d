/* It opens a file for each batch, and closes none. */
#include <fcntl.h>

#include "good.h"

static int32_t GRAPNEL_CALL hook(grapnel_instance* instance, const grapnel_Event* event) {
  (void)event;
  (void)instance;
  return open("/dev/null", O_RDONLY) >= 0 ? GRAPNEL_OK : GRAPNEL_ERROR;
}
GOOD_HOOKS(hook)
GOOD_PLUGIN(hooks, hostile_no_extension)
