/* It asks the host for a stop from a thread of its own; the answer has to be GRAPNEL_WRONG_THREAD. A log line
 * from there is allowed. The hook fails when the host took the request. */
#include <pthread.h>

#include <grapnel/ext/request.h>

#include "hostile.h"

static int32_t answer;

static void* elsewhere(void* pointer) {
  const grapnel_host* host = pointer;
  const grapnel_request* table = hostile_find(host, GRAPNEL_EXT_REQUEST);
  answer = table->request(host, GRAPNEL_REQUEST_STOP, hostile_text("from another thread"));
  hostile_log(host, "a line from another thread");
  return NULL;
}

static int32_t GRAPNEL_CALL batch_end(grapnel_instance* instance, const grapnel_Event* event) {
  (void)event;
  const grapnel_host* host = hostile_host(instance);
  pthread_t thread;
  if (pthread_create(&thread, NULL, elsewhere, (void*)host) != 0)
    return hostile_fail(host, "no thread");
  pthread_join(thread, NULL);
  if (answer == GRAPNEL_WRONG_THREAD) return GRAPNEL_OK;
  return hostile_fail(host, "the host took a request from another thread");
}
static const grapnel_hook_entry* const hooks[] = {
    HOSTILE_HOOK(GRAPNEL_HOOK_on_train_batch_end, 0, batch_end)};
HOSTILE_PLUGIN_WITH_HOOKS(hooks)
