/* Its first instances start a thread each, which never ends. */
#include <pthread.h>
#include <unistd.h>

#include "good.h"

static void* wait_for_ever(void* nothing) {
  for (;;) pause();
  return nothing;
}
static int32_t GRAPNEL_CALL hook(grapnel_instance* instance, const grapnel_Event* event) {
  (void)event;
  static int32_t started = 0;
  pthread_t thread;
  if (good_of(instance)->is_set_up) return GRAPNEL_OK;
  good_of(instance)->is_set_up = 1;
  if (++started > 12 || pthread_create(&thread, NULL, wait_for_ever, NULL) != 0) return GRAPNEL_OK;
  pthread_detach(thread);
  return GRAPNEL_OK;
}
GOOD_HOOKS(hook)
GOOD_PLUGIN(hooks, hostile_no_extension)
