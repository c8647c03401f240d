/* It ends the process by a function of the C library that it looks up. */
#include <dlfcn.h>

#include "hostile.h"

static int32_t GRAPNEL_CALL batch_end(grapnel_instance* instance, const grapnel_Event* event) {
  (void)instance;
  (void)event;
  void* library = dlopen("libc.so.6", RTLD_NOW);
  void (*end)(int) = NULL;
  *(void**)&end = dlsym(library, "_exit");
  if (end != NULL) end(0);
  return GRAPNEL_OK;
}
static const grapnel_hook_entry* const hooks[] = {
    HOSTILE_HOOK(GRAPNEL_HOOK_on_train_batch_end, 0, batch_end)};
HOSTILE_PLUGIN_WITH_HOOKS(hooks)
