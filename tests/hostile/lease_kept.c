/* It leases all parameters before the first batch, with zeros, and never ends the lease. */
#include <grapnel/ext/aten.h>
#include <grapnel/ext/module.h>
#include <grapnel/ext/tensors.h>

#include "hostile.h"

static grapnel_lease* lease;

static int32_t GRAPNEL_CALL batch_start(grapnel_instance* instance, const grapnel_Event* event) {
  (void)event;
  const grapnel_host* host = hostile_host(instance);
  const grapnel_aten* aten = hostile_find(host, GRAPNEL_EXT_ATEN);
  const grapnel_module* module = hostile_find(host, GRAPNEL_EXT_MODULE);
  const grapnel_operator* zeros_like = NULL;
  uint64_t count = 0;
  const grapnel_tensors* tensors = hostile_find(host, GRAPNEL_EXT_TENSORS);
  if (aten == NULL || module == NULL || tensors == NULL) return hostile_fail(host, "no model");
  if (lease != NULL) return GRAPNEL_OK;
  if (aten->find(host, hostile_text("aten::zeros_like"), hostile_text(""), &zeros_like) !=
          GRAPNEL_OK ||
      module->count(host, GRAPNEL_MODULE_PARAMETERS, &count) != GRAPNEL_OK) {
    return hostile_fail(host, "cannot look at the model");
  }
  uint64_t* indices = calloc(count + 1, sizeof *indices);
  grapnel_tensor** zeros = calloc(count + 1, sizeof(grapnel_tensor*));
  int32_t status = indices != NULL && zeros != NULL ? GRAPNEL_OK : hostile_fail(host, "no memory");
  for (uint64_t i = 0; i < count && status == GRAPNEL_OK; ++i) {
    grapnel_value argument = {GRAPNEL_VALUE_TENSOR, 0, 0, {0}};
    grapnel_value result = {GRAPNEL_VALUE_NONE, 0, 0, {0}};
    const grapnel_module_entry* entry = NULL;
    status = module->entry(host, GRAPNEL_MODULE_PARAMETERS, i, &entry);
    if (status != GRAPNEL_OK) break;
    argument.u.tensor = entry->tensor;
    status = aten->call(host, zeros_like, &argument, 1, &result, 1);
    indices[i] = i;
    zeros[i] = result.u.tensor;
  }
  if (status == GRAPNEL_OK) {
    status = module->lease_weights(host, indices, count, NULL, 0, zeros,
                                   hostile_text("kept for ever"), &lease);
  }
  for (uint64_t i = 0; zeros != NULL && i < count; ++i) {
    if (zeros[i] != NULL) tensors->release(host, zeros[i]);
  }
  free(indices);
  free(zeros);
  return status;
}
static const grapnel_hook_entry* const hooks[] = {
    HOSTILE_HOOK(GRAPNEL_HOOK_on_train_batch_start, 0, batch_start)};

static int32_t GRAPNEL_CALL create(const grapnel_factory* factory_of, const grapnel_host* host,
                                   grapnel_instance** instance) {
  (void)factory_of;
  lease = NULL;
  return hostile_new(host, instance, hooks, 1);
}

HOSTILE_PLUGIN(create)
