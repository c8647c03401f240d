/* Its hook calls the host's services with null handles, indices out of range, unknown kinds and names. The
 * host has to refuse each; the hook fails with the names of those that it took. */
#include <grapnel/ext/aten.h>
#include <grapnel/ext/batch.h>
#include <grapnel/ext/metrics.h>
#include <grapnel/ext/module.h>
#include <grapnel/ext/optimizers.h>
#include <grapnel/ext/outputs.h>
#include <grapnel/ext/params.h>
#include <grapnel/ext/request.h>
#include <grapnel/ext/tensors.h>

#include "hostile.h"

static char taken[512];

static void refuse(int32_t status, const char* what) {
  if (status != GRAPNEL_OK) return;
  strncat(taken, what, sizeof taken - strlen(taken) - 1);
}

#define TABLE(type, id)                       \
  const type* table = hostile_find(host, id); \
  if (table == NULL) return hostile_fail(host, "there is no " id)

static int32_t try_values(const grapnel_host* host) {
  TABLE(grapnel_params, GRAPNEL_EXT_PARAMS);
  int64_t value = 0;
  refuse(table->get_i64(host, hostile_text("no_such_parameter"), &value), "params.get_i64 ");
  const grapnel_string null_text = {NULL, 7};
  refuse(table->get_i64(host, null_text, &value), "params.get_i64(null text) ");
  return GRAPNEL_OK;
}

static int32_t try_tensors(const grapnel_host* host) {
  TABLE(grapnel_tensors, GRAPNEL_EXT_TENSORS);
  grapnel_tensor* tensor = NULL;
  const int64_t sizes[] = {2, -3};
  const double data[6] = {0};
  double value = 0;
  refuse(table->retain(host, NULL, &tensor), "tensors.retain ");
  refuse(table->to_f64(host, NULL, &value), "tensors.to_f64 ");
  refuse(table->from_data(host, 4711, sizes, 1, data, 16, &tensor), "tensors.from_data(dtype) ");
  refuse(table->from_data(host, GRAPNEL_DTYPE_F64, sizes, 2, data, 48, &tensor),
         "tensors.from_data(sizes) ");
  refuse(table->from_data(host, GRAPNEL_DTYPE_F64, sizes, 1, data, 15, &tensor),
         "tensors.from_data(bytes) ");
  const grapnel_tensor_info* info = NULL;
  refuse(table->describe(host, NULL, &info), "tensors.describe ");
  return GRAPNEL_OK;
}

static int32_t try_aten(const grapnel_host* host) {
  TABLE(grapnel_aten, GRAPNEL_EXT_ATEN);
  const grapnel_operator* op = NULL;
  grapnel_value result;
  refuse(table->find(host, hostile_text("aten::no_such_operator"), hostile_text(""), &op),
         "aten.find ");
  refuse(table->call(host, NULL, NULL, 0, NULL, 0), "aten.call ");
  if (table->find(host, hostile_text("aten::clone"), hostile_text(""), &op) == GRAPNEL_OK) {
    refuse(table->call(host, op, NULL, 0, &result, 1), "aten.call(no arguments) ");
    grapnel_value unknown = {77, 0, 0, {0}};
    refuse(table->call(host, op, &unknown, 1, &result, 1), "aten.call(tag) ");
  }
  return GRAPNEL_OK;
}

static int32_t try_model(const grapnel_host* host) {
  TABLE(grapnel_module, GRAPNEL_EXT_MODULE);
  uint64_t count = 0;
  grapnel_tensor* tensor = NULL;
  grapnel_lease* lease = NULL;
  const uint64_t far[] = {1u << 20};
  refuse(table->count(host, 9, &count), "module.count ");
  const grapnel_module_entry* entry = NULL;
  refuse(table->entry(host, GRAPNEL_MODULE_PARAMETERS, far[0], &entry), "module.entry ");
  refuse(table->lease_weights(host, far, UINT64_MAX, NULL, 0, &tensor, hostile_text("x"), &lease),
         "module.lease(count) ");
  refuse(table->grad(host, far[0], &tensor), "module.grad ");
  refuse(table->lease_weights(host, far, 1, NULL, 0, &tensor, hostile_text("x"), &lease),
         "module.lease ");
  refuse(table->end_lease(host, NULL), "module.end_lease ");
  return GRAPNEL_OK;
}

static int32_t try_others(const grapnel_host* host, const grapnel_TrainBatchEnd* event) {
  {
    TABLE(grapnel_request, GRAPNEL_EXT_REQUEST);
    refuse(table->request(host, 99, hostile_text("x")), "request(kind) ");
    refuse(table->request(host, GRAPNEL_REQUEST_SKIP_BATCH, hostile_text("x")),
           "request(not now) ");
  }
  {
    TABLE(grapnel_batches, GRAPNEL_EXT_BATCH);
    grapnel_tensor* tensor = NULL;
    refuse(table->get(host, event->batch, 1u << 20, &tensor), "batch.get ");
    refuse(table->replace(host, event->batch, 0, NULL), "batch.replace ");
  }
  {
    TABLE(grapnel_step_outputs, GRAPNEL_EXT_OUTPUTS);
    double loss = 0;
    refuse(table->loss(host, NULL, &loss), "outputs.loss ");
  }
  {
    TABLE(grapnel_metrics, GRAPNEL_EXT_METRICS);
    refuse(table->log_f64(host, hostile_text(""), 1.0, NULL), "metrics.log_f64(no name) ");
    refuse(table->log_tensor(host, hostile_text("x"), NULL, NULL), "metrics.log_tensor ");
  }
  {
    TABLE(grapnel_optimizers, GRAPNEL_EXT_OPTIMIZERS);
    const grapnel_optimizer_group* group = NULL;
    refuse(table->group(host, 99, 0, &group), "optimizers.group ");
    refuse(table->set_option(host, 0, 0, hostile_text("no_such_option"), 1.0),
           "optimizers.set_option ");
  }
  return GRAPNEL_OK;
}

static int32_t GRAPNEL_CALL batch_end(grapnel_instance* instance, const grapnel_Event* event) {
  const grapnel_host* host = hostile_host(instance);
  taken[0] = 0;
  int32_t status = try_values(host);
  if (status == GRAPNEL_OK) status = try_tensors(host);
  if (status == GRAPNEL_OK) status = try_aten(host);
  if (status == GRAPNEL_OK) status = try_model(host);
  if (status == GRAPNEL_OK) status = try_others(host, (const grapnel_TrainBatchEnd*)event);
  if (status == GRAPNEL_OK && taken[0] != 0) status = hostile_fail(host, taken);
  return status;
}
static const grapnel_hook_entry* const hooks[] = {
    HOSTILE_HOOK(GRAPNEL_HOOK_on_train_batch_end, 0, batch_end)};
HOSTILE_PLUGIN_WITH_HOOKS(hooks)
