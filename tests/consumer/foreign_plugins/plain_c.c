/* A plugin in C: counts training batches, logs the count as a metric, keeps it in checkpoints. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <grapnel/abi.h>
#include <grapnel/ext/log.h>
#include <grapnel/ext/metrics.h>
#include <grapnel/ext/params.h>
#include <grapnel/ext/state.h>
#include <grapnel/note.h>

typedef struct batch_counter {
  grapnel_instance abi;
  const grapnel_host* host;
  const grapnel_metrics* metrics;
  const grapnel_log* log;
  int64_t weight;
  int64_t count;
} batch_counter;

static grapnel_string text(const char* chars) {
  grapnel_string string = {chars, strlen(chars)};
  return string;
}

static int32_t fail(const grapnel_host* host, const char* why) {
  host->fail(host, text(why));
  return GRAPNEL_ERROR;
}

/* NULL where the host has none. */
static const void* find(const grapnel_host* host, const char* extension) {
  const void* table = NULL;
  return host->get_extension(host, text(extension), &table) == GRAPNEL_OK ? table : NULL;
}

/* What a hook returns after a service: only a failure that the host keeps is the hook's own. Without the
 * number or the line the training is as good. */
static int32_t passed_on(int32_t status) {
  return status == GRAPNEL_PENDING ? status : GRAPNEL_OK;
}

/* ---- Hooks */

static int32_t GRAPNEL_CALL on_train_batch_end(grapnel_instance* instance,
                                               const grapnel_Event* event) {
  batch_counter* self = instance->self;
  (void)event;
  self->count += self->weight;
  return passed_on(
      self->metrics->log_f64(self->host, text("batch_counter"), (double)self->count, NULL));
}

static int32_t GRAPNEL_CALL on_fit_end(grapnel_instance* instance, const grapnel_Event* event) {
  batch_counter* self = instance->self;
  char line[64];
  (void)event;
  snprintf(line, sizeof line, "counted %lld", (long long)self->count);
  return passed_on(self->log->write(self->host, GRAPNEL_LOG_INFO, text(line)));
}

#define HOOK(id, flags, function) \
  (&(const grapnel_hook_entry){sizeof(grapnel_hook_entry), id, flags, 0, function})
static const grapnel_hook_entry* const hooks[] = {
    HOOK(GRAPNEL_HOOK_on_train_batch_end, 0, on_train_batch_end),
    HOOK(GRAPNEL_HOOK_on_fit_end, 0, on_fit_end),
};

/* ---- State */

static int32_t GRAPNEL_CALL save(grapnel_instance* instance, const grapnel_state_writer* writer) {
  const batch_counter* self = instance->self;
  return writer->put_i64(writer, text("count"), self->count);
}

static int32_t GRAPNEL_CALL load(grapnel_instance* instance, const grapnel_state_reader* reader) {
  batch_counter* self = instance->self;
  int64_t count = 0;
  const int32_t status = reader->get_i64(reader, text("count"), &count);
  if (status == GRAPNEL_PENDING) return status;
  if (status != GRAPNEL_OK) return fail(self->host, "the state has no count");
  self->count = count;
  return GRAPNEL_OK;
}

static const grapnel_state state = {sizeof(grapnel_state), 0, NULL, save, load};

static int32_t GRAPNEL_CALL get_extension(grapnel_instance* instance, grapnel_string id,
                                          const void** table) {
  const grapnel_string wanted = text(GRAPNEL_EXT_STATE);
  (void)instance;
  if (id.size != wanted.size || memcmp(id.data, wanted.data, id.size) != 0)
    return GRAPNEL_NOT_FOUND;
  *table = &state;
  return GRAPNEL_OK;
}

/* ---- Life */

static int32_t GRAPNEL_CALL init(grapnel_instance* instance, const grapnel_host* host) {
  batch_counter* self = instance->self;
  self->metrics = find(host, GRAPNEL_EXT_METRICS);
  self->log = find(host, GRAPNEL_EXT_LOG);
  if (self->metrics == NULL || self->log == NULL) return fail(host, "it needs metrics and a log");
  return GRAPNEL_OK;
}

static int32_t GRAPNEL_CALL destroy(grapnel_instance* instance) {
  free(instance->self);
  return GRAPNEL_OK;
}

static int32_t GRAPNEL_CALL create(const grapnel_factory* factory, const grapnel_host* host,
                                   grapnel_instance** instance) {
  const grapnel_params* params = find(host, GRAPNEL_EXT_PARAMS);
  batch_counter* self = calloc(1, sizeof *self);
  (void)factory;
  if (self == NULL) return fail(host, "no memory");
  if (params == NULL || params->get_i64(host, text("weight"), &self->weight) != GRAPNEL_OK) {
    free(self);
    return fail(host, "cannot read the parameter weight");
  }
  self->host = host;
  self->abi.struct_size = sizeof self->abi;
  self->abi.hook_count = sizeof hooks / sizeof hooks[0];
  self->abi.hooks = hooks;
  self->abi.self = self;
  self->abi.init = init;
  self->abi.destroy = destroy;
  self->abi.get_extension = get_extension;
  *instance = &self->abi;
  return GRAPNEL_OK;
}

static const grapnel_factory batch_counter_factory = {
    sizeof(grapnel_factory), 0, {"batch_counter", sizeof "batch_counter" - 1}, create};
static const grapnel_factory* const factories[] = {&batch_counter_factory};

GRAPNEL_PLUGIN_EXPORT extern const grapnel_plugin GRAPNEL_PLUGIN_SYMBOL;
const grapnel_plugin GRAPNEL_PLUGIN_SYMBOL = {
    sizeof(grapnel_plugin), GRAPNEL_ABI_TARGET, 1, factories, GRAPNEL_MANIFEST, NULL};
