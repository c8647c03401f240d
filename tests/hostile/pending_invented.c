/* Its hook answers that a service of the host failed, and none did. */
#include "hostile.h"

static int32_t GRAPNEL_CALL batch_end(grapnel_instance* instance, const grapnel_Event* event) {
  (void)event;
  (void)instance;
  return GRAPNEL_PENDING;
}
static const grapnel_hook_entry hooks[] = {{GRAPNEL_HOOK_on_train_batch_end, 0, batch_end}};

static int32_t GRAPNEL_CALL create(const grapnel_factory* factory_of, const grapnel_host* host,
                                   grapnel_instance** instance) {
  (void)factory_of;
  return hostile_new(host, instance, hooks, 1);
}
HOSTILE_PLUGIN(create)
