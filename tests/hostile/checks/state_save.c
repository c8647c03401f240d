/* It can be saved only after its setup. */
#include "good_state.h"

static int32_t GRAPNEL_CALL save(grapnel_instance* instance, const grapnel_state_writer* writer) {
  if (good_of(instance)->is_set_up) return good_save(instance, writer);
  return hostile_fail(good_of(instance)->host, "there is nothing to save yet");
}
static int32_t GRAPNEL_CALL set_up(grapnel_instance* instance, const grapnel_Event* event) {
  (void)event;
  good_of(instance)->is_set_up = 1;
  return GRAPNEL_OK;
}
static const grapnel_hook_entry* const hooks[] = {HOSTILE_HOOK(GRAPNEL_HOOK_setup, 0, set_up)};
static const grapnel_state state = {sizeof(grapnel_state), 0, NULL, save, good_load};

static int32_t GRAPNEL_CALL get_extension(grapnel_instance* instance, grapnel_string id,
                                          const void** table) {
  (void)instance;
  return hostile_offer(id, GRAPNEL_EXT_STATE, &state, table);
}
GOOD_PLUGIN(hooks, get_extension)
