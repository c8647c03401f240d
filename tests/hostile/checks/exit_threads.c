/* A thread starts when it is loaded, which nothing ends. */
#include <pthread.h>
#include <unistd.h>

#include "good.h"

static void* wait_for_ever(void* nothing) {
  for (;;) pause();
  return nothing;
}
__attribute__((constructor)) static void at_load(void) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, wait_for_ever, NULL) == 0) pthread_detach(thread);
}
GOOD_HOOKS(good_batch_end)
GOOD_PLUGIN(hooks, hostile_no_extension)
