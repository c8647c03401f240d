/* Its handler of an event returns a status that does not exist. */
#include <grapnel/ext/event.h>

#include "good.h"

static int32_t GRAPNEL_CALL handle(grapnel_instance* instance, const grapnel_event_handler* handler,
                                   const grapnel_value* values) {
  (void)instance;
  (void)handler;
  (void)values;
  return 7;
}
static const grapnel_event_handler handler = {
    sizeof handler, 0, {"on_phase", sizeof "on_phase" - 1}, NULL, handle};

static int32_t GRAPNEL_CALL count(grapnel_instance* instance, uint64_t* out) {
  (void)instance;
  *out = 1;
  return GRAPNEL_OK;
}
static int32_t GRAPNEL_CALL get(grapnel_instance* instance, uint64_t index,
                                const grapnel_event_handler** out) {
  (void)instance;
  if (index != 0) return GRAPNEL_NOT_FOUND;
  *out = &handler;
  return GRAPNEL_OK;
}
static const grapnel_event_handlers handlers = {sizeof handlers, 0, count, get};

static int32_t GRAPNEL_CALL get_extension(grapnel_instance* instance, grapnel_string id,
                                          const void** table) {
  (void)instance;
  return hostile_offer(id, GRAPNEL_EXT_EVENT, &handlers, table);
}
GOOD_HOOKS(good_batch_end)
GOOD_PLUGIN(hooks, get_extension)
