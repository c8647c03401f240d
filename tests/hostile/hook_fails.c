/* Its hook fails at the end of every training batch, and says why. */
#include "hostile.h"

static int32_t GRAPNEL_CALL batch_end(grapnel_instance* instance, const grapnel_Event* event) {
  (void)event;
  return hostile_fail(hostile_host(instance), "I don't like this batch");
}
static const grapnel_hook_entry hooks[] = {{GRAPNEL_HOOK_on_train_batch_end, 0, batch_end}};

static int32_t GRAPNEL_CALL create(const grapnel_factory* factory_of, const grapnel_host* host,
                                   grapnel_instance** instance) {
  (void)factory_of;
  return hostile_new(host, instance, hooks, 1);
}
HOSTILE_PLUGIN(create)
