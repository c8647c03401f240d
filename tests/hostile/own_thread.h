/* A plugin whose thread of its own runs work() 50 ms after the training has started. Include it behind
 * work(). */
#ifndef GRAPNEL_TESTS_HOSTILE_OWN_THREAD_H_
#define GRAPNEL_TESTS_HOSTILE_OWN_THREAD_H_

#include <pthread.h>
#include <time.h>

#include "hostile.h"

static void* work_later(void* nothing) {
  const struct timespec pause = {0, 50 * 1000 * 1000};
  nanosleep(&pause, NULL);
  work();
  return nothing;
}

static int32_t GRAPNEL_CALL train_start(grapnel_instance* instance, const grapnel_Event* event) {
  pthread_t thread;
  (void)event;
  if (pthread_create(&thread, NULL, work_later, NULL) != 0) {
    return hostile_fail(hostile_host(instance), "no thread");
  }
  return GRAPNEL_OK;
}
static const grapnel_hook_entry* const hooks[] = {
    HOSTILE_HOOK(GRAPNEL_HOOK_on_train_start, 0, train_start)};
HOSTILE_PLUGIN_WITH_HOOKS(hooks)

#endif /* GRAPNEL_TESTS_HOSTILE_OWN_THREAD_H_ */
