/* It begins to write to a parameter and does not end it. */
#include <grapnel/ext/module.h>
#include <grapnel/ext/tensors.h>

#include "good.h"

static int32_t GRAPNEL_CALL hook(grapnel_instance* instance, const grapnel_Event* event) {
  (void)event;
  if (good_of(instance)->is_set_up) return GRAPNEL_OK;
  good_of(instance)->is_set_up = 1;
  const grapnel_host* host = good_of(instance)->host;
  const grapnel_module* module = hostile_find(host, GRAPNEL_EXT_MODULE);
  const grapnel_tensors* tensors = hostile_find(host, GRAPNEL_EXT_TENSORS);
  const grapnel_module_entry* entry = NULL;
  void* data = NULL;
  uint64_t bytes = 0;
  if (module == NULL || tensors == NULL) return GRAPNEL_OK;
  if (module->entry(host, GRAPNEL_MODULE_PARAMETERS, 0, &entry) != GRAPNEL_OK) return GRAPNEL_OK;
  (void)tensors->begin_write(host, entry->tensor, &data, &bytes);
  return GRAPNEL_OK;
}
GOOD_HOOKS(hook)
GOOD_PLUGIN(hooks, hostile_no_extension)
