/* It wants a hook and gives no function for it. */
#include "hostile.h"

static const grapnel_hook_entry hooks[] = {{GRAPNEL_HOOK_on_train_batch_end, 0, NULL}};

static int32_t GRAPNEL_CALL create(const grapnel_factory* factory_of, const grapnel_host* host,
                                   grapnel_instance** instance) {
  (void)factory_of;
  return hostile_new(host, instance, hooks, 1);
}
HOSTILE_PLUGIN(create)
