/* Nothing wrong: its entry and its instances have fields that this host doesn't know yet. To be accepted. */
#include "hostile.h"

typedef struct longer_plugin {
  grapnel_plugin known;
  uint64_t newer[8];
} longer_plugin;

typedef struct longer_instance {
  grapnel_instance known;
  uint64_t newer[8];
} longer_instance;

static int32_t GRAPNEL_CALL create(const grapnel_factory* factory_of, const grapnel_host* host,
                                   grapnel_instance** instance) {
  (void)factory_of;
  longer_instance* longer = calloc(1, sizeof *longer);
  if (longer == NULL) return hostile_fail(host, "no memory");
  const grapnel_instance known = {
      sizeof *longer, 0, NULL, (void*)host, hostile_init, hostile_destroy, hostile_no_extension};
  longer->known = known;
  *instance = &longer->known;
  return GRAPNEL_OK;
}

HOSTILE_FACTORY(create)

GRAPNEL_PLUGIN_EXPORT extern const longer_plugin GRAPNEL_PLUGIN_SYMBOL;
const longer_plugin GRAPNEL_PLUGIN_SYMBOL = {
    {sizeof(longer_plugin), GRAPNEL_ABI_TARGET, 1, factories, GRAPNEL_MANIFEST, NULL}, {0}};
