/* A thread of its own crashes in a function of the C library, while no hook of it runs. */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <time.h>

#include "hostile.h"

static const char* volatile no_text = NULL;

static void* work(void* nothing) {
  const struct timespec pause = {0, 50 * 1000 * 1000};
  nanosleep(&pause, NULL);
  return strlen(no_text) == 0 ? nothing : NULL;
}

static int32_t GRAPNEL_CALL train_start(grapnel_instance* instance, const grapnel_Event* event) {
  pthread_t thread;
  (void)event;
  if (pthread_create(&thread, NULL, work, NULL) != 0) {
    return hostile_fail(hostile_host(instance), "no thread");
  }
  return GRAPNEL_OK;
}
static const grapnel_hook_entry* const hooks[] = {
    HOSTILE_HOOK(GRAPNEL_HOOK_on_train_start, 0, train_start)};
HOSTILE_PLUGIN_WITH_HOOKS(hooks)
