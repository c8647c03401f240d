/* A plugin in which nothing is wrong, with one hook. Each file of this folder is named for a check of
 * `grapnel plugin validate`, and spoils what that check looks at, and nothing else:
 *
 *   static const grapnel_hook_entry* const hooks[] = {
 *       HOSTILE_HOOK(GRAPNEL_HOOK_on_train_batch_end, 0, good_batch_end)};
 *   GOOD_PLUGIN(hooks, hostile_no_extension)
 *
 * GOOD_LIFE is GOOD_PLUGIN with a function that each create calls first.
 */
#ifndef GRAPNEL_TESTS_HOSTILE_CHECKS_GOOD_H_
#define GRAPNEL_TESTS_HOSTILE_CHECKS_GOOD_H_

#include "../hostile.h"

typedef struct good {
  grapnel_instance abi;
  const grapnel_host* host;
  int64_t batches;   /* trained */
  int32_t is_set_up; /* or trained */
} good;

static inline good* good_of(grapnel_instance* instance) {
  return instance->self;
}

static inline int32_t GRAPNEL_CALL good_batch_end(grapnel_instance* instance,
                                                  const grapnel_Event* event) {
  (void)event;
  ++good_of(instance)->batches;
  good_of(instance)->is_set_up = 1;
  return GRAPNEL_OK;
}

static inline int32_t good_new(const grapnel_host* host, grapnel_instance** out,
                               const grapnel_hook_entry* const* hooks, uint32_t hook_count) {
  good* made = calloc(1, sizeof *made);
  if (made == NULL) return hostile_fail(host, "no memory");
  made->abi.struct_size = sizeof made->abi;
  made->abi.hook_count = hook_count;
  made->abi.hooks = hooks;
  made->abi.self = made;
  made->abi.init = hostile_init;
  made->abi.destroy = hostile_destroy;
  made->abi.get_extension = hostile_no_extension;
  made->host = host;
  *out = &made->abi;
  return GRAPNEL_OK;
}

static inline int32_t good_start(const grapnel_host* host) {
  (void)host;
  return GRAPNEL_OK;
}

#define GOOD_LIFE(hook_array, get_extension_function, start)                                      \
  static int32_t GRAPNEL_CALL create(const grapnel_factory* factory_of, const grapnel_host* host, \
                                     grapnel_instance** instance) {                               \
    (void)factory_of;                                                                             \
    const int32_t started = start(host);                                                          \
    if (started != GRAPNEL_OK) return started;                                                    \
    const int32_t status =                                                                        \
        good_new(host, instance, hook_array, sizeof hook_array / sizeof hook_array[0]);           \
    if (status == GRAPNEL_OK) (*instance)->get_extension = get_extension_function;                \
    return status;                                                                                \
  }                                                                                               \
  HOSTILE_PLUGIN(create)

#define GOOD_PLUGIN(hook_array, get_extension_function) \
  GOOD_LIFE(hook_array, get_extension_function, good_start)

/* Of a plugin whose hook is called at the end of each training batch. */
#define GOOD_HOOKS(function)                         \
  static const grapnel_hook_entry* const hooks[] = { \
      HOSTILE_HOOK(GRAPNEL_HOOK_on_train_batch_end, 0, function)};

#endif /* GRAPNEL_TESTS_HOSTILE_CHECKS_GOOD_H_ */
