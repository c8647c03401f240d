/* What the plugins of this folder share: a well-behaved plugin in C, of which each file spoils one thing.
 *
 *   static const grapnel_hook_entry* const hooks[] = {HOSTILE_HOOK(GRAPNEL_HOOK_setup, 0, on_setup)};
 *   HOSTILE_PLUGIN_WITH_HOOKS(hooks)
 *
 * HOSTILE_PLUGIN takes a create() of the file's own, which may use hostile_new().
 * HOSTILE_NAME, the id and the callback's name, comes from the build.
 */
#ifndef GRAPNEL_TESTS_HOSTILE_H_
#define GRAPNEL_TESTS_HOSTILE_H_

#include <stdlib.h>
#include <string.h>

#include <grapnel/abi.h>
#include <grapnel/ext/log.h>
#include <grapnel/note.h>

static inline grapnel_string hostile_text(const char* text) {
  grapnel_string string = {text, strlen(text)};
  return string;
}

/* Fails with a text, as a plugin should. */
static inline int32_t hostile_fail(const grapnel_host* host, const char* text) {
  host->fail(host, hostile_text(text));
  return GRAPNEL_ERROR;
}

/* The table of an extension of the host; NULL when it has none. */
static inline const void* hostile_find(const grapnel_host* host, const char* id) {
  const void* table = NULL;
  return host->get_extension(host, hostile_text(id), &table) == GRAPNEL_OK ? table : NULL;
}

/* For a get_extension that has one table. */
static inline int32_t hostile_offer(grapnel_string id, const char* own_id, const void* own,
                                    const void** table) {
  if (id.size != strlen(own_id) || memcmp(id.data, own_id, id.size) != 0) return GRAPNEL_NOT_FOUND;
  *table = own;
  return GRAPNEL_OK;
}

static inline void hostile_log(const grapnel_host* host, const char* text) {
  const grapnel_log* log = hostile_find(host, GRAPNEL_EXT_LOG);
  if (log != NULL) log->write(host, GRAPNEL_LOG_INFO, hostile_text(text));
}

/* instance->self is the host. */
static inline const grapnel_host* hostile_host(grapnel_instance* instance) {
  return instance->self;
}

static inline int32_t GRAPNEL_CALL hostile_init(grapnel_instance* instance,
                                                const grapnel_host* host) {
  (void)instance;
  (void)host;
  return GRAPNEL_OK;
}

static inline int32_t GRAPNEL_CALL hostile_destroy(grapnel_instance* instance) {
  free(instance);
  return GRAPNEL_OK;
}

static inline int32_t GRAPNEL_CALL hostile_no_extension(grapnel_instance* instance,
                                                        grapnel_string id, const void** table) {
  (void)instance;
  (void)id;
  (void)table;
  return GRAPNEL_NOT_FOUND;
}

/* An instance with nothing wrong. */
static inline int32_t hostile_new(const grapnel_host* host, grapnel_instance** out,
                                  const grapnel_hook_entry* const* hooks, uint32_t hook_count) {
  grapnel_instance* instance = calloc(1, sizeof *instance);
  if (instance == NULL) return hostile_fail(host, "no memory");
  instance->struct_size = sizeof *instance;
  instance->hook_count = hook_count;
  instance->hooks = hooks;
  instance->self = (void*)host;
  instance->init = hostile_init;
  instance->destroy = hostile_destroy;
  instance->get_extension = hostile_no_extension;
  *out = instance;
  return GRAPNEL_OK;
}

/* A create() for an instance with nothing wrong and no hooks. */
static inline int32_t GRAPNEL_CALL hostile_create(const grapnel_factory* factory_of,
                                                  const grapnel_host* host,
                                                  grapnel_instance** instance) {
  (void)factory_of;
  return hostile_new(host, instance, NULL, 0);
}

/* An entry of a list of hooks. */
#define HOSTILE_HOOK(hook, flags, function) \
  (&(const grapnel_hook_entry){sizeof(grapnel_hook_entry), hook, flags, 0, function})

#define HOSTILE_FACTORY(create_function)                                                     \
  static const grapnel_factory factory = {                                                   \
      sizeof(grapnel_factory), 0, {HOSTILE_NAME, sizeof HOSTILE_NAME - 1}, create_function}; \
  static const grapnel_factory* const factories[] = {&factory};

#define HOSTILE_EXPORT                                                     \
  GRAPNEL_PLUGIN_EXPORT extern const grapnel_plugin GRAPNEL_PLUGIN_SYMBOL; \
  const grapnel_plugin GRAPNEL_PLUGIN_SYMBOL

#define HOSTILE_PLUGIN(create_function) \
  HOSTILE_FACTORY(create_function)      \
  HOSTILE_EXPORT = {                    \
      sizeof(grapnel_plugin), GRAPNEL_ABI_TARGET, 1, factories, GRAPNEL_MANIFEST, NULL};

/* Its instances have these hooks. */
#define HOSTILE_PLUGIN_WITH_HOOKS(hook_array)                                                     \
  static int32_t GRAPNEL_CALL create(const grapnel_factory* factory_of, const grapnel_host* host, \
                                     grapnel_instance** instance) {                               \
    (void)factory_of;                                                                             \
    return hostile_new(host, instance, hook_array, sizeof hook_array / sizeof hook_array[0]);     \
  }                                                                                               \
  HOSTILE_PLUGIN(create)

/* Its instances have no hooks, and this get_extension. */
#define HOSTILE_PLUGIN_WITH_EXTENSIONS(get_extension_function)                                    \
  static int32_t GRAPNEL_CALL create(const grapnel_factory* factory_of, const grapnel_host* host, \
                                     grapnel_instance** instance) {                               \
    (void)factory_of;                                                                             \
    const int32_t status = hostile_new(host, instance, NULL, 0);                                  \
    if (status == GRAPNEL_OK) (*instance)->get_extension = get_extension_function;                \
    return status;                                                                                \
  }                                                                                               \
  HOSTILE_PLUGIN(create)

/* Its instances have one extension, with this id and table. */
#define HOSTILE_PLUGIN_WITH_EXTENSION(extension_id, extension_table)                       \
  static int32_t GRAPNEL_CALL get_extension(grapnel_instance* instance, grapnel_string id, \
                                            const void** table) {                          \
    (void)instance;                                                                        \
    return hostile_offer(id, extension_id, &extension_table, table);                       \
  }                                                                                        \
  HOSTILE_PLUGIN_WITH_EXTENSIONS(get_extension)

#endif /* GRAPNEL_TESTS_HOSTILE_H_ */
