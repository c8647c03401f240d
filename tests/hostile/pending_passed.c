/* A service of the host fails in its hook (an operator gets the wrong arguments), and it passes that on. */
#include <grapnel/ext/aten.h>

#include "hostile.h"

static int32_t GRAPNEL_CALL batch_end(grapnel_instance* instance, const grapnel_Event* event) {
  (void)event;
  const grapnel_host* host = hostile_host(instance);
  const grapnel_aten* aten = hostile_find(host, GRAPNEL_EXT_ATEN);
  const grapnel_operator* op = NULL;
  if (aten == NULL ||
      aten->find(host, hostile_text("aten::clone"), hostile_text(""), &op) != GRAPNEL_OK) {
    return hostile_fail(host, "no aten::clone");
  }
  grapnel_value not_a_tensor = {GRAPNEL_VALUE_STRING, 0, 5, {0}};
  not_a_tensor.u.string = "hello";
  const int32_t status = aten->call(host, op, &not_a_tensor, 1, NULL, 0);
  return status == GRAPNEL_PENDING ? status : hostile_fail(host, "the host ran a wrong call");
}
static const grapnel_hook_entry hooks[] = {{GRAPNEL_HOOK_on_train_batch_end, 0, batch_end}};

static int32_t GRAPNEL_CALL create(const grapnel_factory* factory_of, const grapnel_host* host,
                                   grapnel_instance** instance) {
  (void)factory_of;
  return hostile_new(host, instance, hooks, 1);
}
HOSTILE_PLUGIN(create)
