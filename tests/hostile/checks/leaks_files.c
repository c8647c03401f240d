/* It writes a file into the working directory. */
#include <fcntl.h>
#include <unistd.h>

#include "good.h"

static int32_t GRAPNEL_CALL hook(grapnel_instance* instance, const grapnel_Event* event) {
  (void)event;
  (void)instance;
  const int file = open("notes.txt", O_WRONLY | O_CREAT, 0600);
  if (file >= 0) close(file);
  return GRAPNEL_OK;
}
GOOD_HOOKS(hook)
GOOD_PLUGIN(hooks, hostile_no_extension)
