/* Its library fails when it is asked for an extension that it does not know. */
#include "good.h"

static int32_t GRAPNEL_CALL fail_for_all(const grapnel_plugin* plugin, grapnel_string id,
                                         const void** table) {
  (void)plugin;
  (void)id;
  (void)table;
  return GRAPNEL_ERROR;
}
GOOD_HOOKS(good_batch_end)
static int32_t GRAPNEL_CALL create(const grapnel_factory* factory_of, const grapnel_host* host,
                                   grapnel_instance** instance) {
  (void)factory_of;
  return good_new(host, instance, hooks, 1);
}
HOSTILE_FACTORY(create)
HOSTILE_EXPORT = {sizeof(grapnel_plugin), GRAPNEL_ABI_TARGET, 1, factories,
                  GRAPNEL_MANIFEST,       fail_for_all};
