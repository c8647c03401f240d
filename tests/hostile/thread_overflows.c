/* A thread of its own uses up its stack. */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <time.h>

#include "hostile.h"

static volatile int depth;

static int deeper(volatile char* outer) {
  volatile char here[4096];
  here[0] = outer[0];
  ++depth;
  return depth < 0 ? 0 : deeper(here) + here[0];
}

static void* work(void* nothing) {
  const struct timespec pause = {0, 50 * 1000 * 1000};
  volatile char start[1] = {0};
  nanosleep(&pause, NULL);
  return deeper(start) == 1 ? nothing : NULL;
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
