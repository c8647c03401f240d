/* It looks for an operator that the recorded training does not have. */
#include <grapnel/ext/aten.h>

#include "good.h"

static int32_t GRAPNEL_CALL hook(grapnel_instance* instance, const grapnel_Event* event) {
  (void)event;
  const grapnel_host* host = good_of(instance)->host;
  const grapnel_aten* aten = hostile_find(host, GRAPNEL_EXT_ATEN);
  const grapnel_operator* found = NULL;
  if (aten != NULL) {
    (void)aten->find(host, hostile_text("aten::linalg_det"), hostile_text(""), &found);
  }
  return GRAPNEL_OK;
}
GOOD_HOOKS(hook)
GOOD_PLUGIN(hooks, hostile_no_extension)
