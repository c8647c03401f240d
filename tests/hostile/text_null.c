/* Gives NULL with a size where the host takes a text: as the reason of its failure, and as the id of an
 * extension. The host has to refuse both; the hook fails with the names of those that it took. */
#include "hostile.h"

static int32_t GRAPNEL_CALL batch_end(grapnel_instance* instance, const grapnel_Event* event) {
  (void)event;
  const grapnel_host* host = hostile_host(instance);
  const grapnel_string no_text = {NULL, 5};
  if (host->get_extension(host, no_text) != NULL) return hostile_fail(host, "get_extension");
  if (host->fail(host, no_text) != GRAPNEL_INVALID_ARGUMENT) return hostile_fail(host, "fail");
  return GRAPNEL_OK;
}
static const grapnel_hook_entry hooks[] = {{GRAPNEL_HOOK_on_train_batch_end, 0, batch_end}};

static int32_t GRAPNEL_CALL create(const grapnel_factory* factory_of, const grapnel_host* host,
                                   grapnel_instance** instance) {
  (void)factory_of;
  return hostile_new(host, instance, hooks, 1);
}
HOSTILE_PLUGIN(create)
