/* A plugin whose state extension has these functions; key may be NULL:
 *
 *   static int32_t GRAPNEL_CALL save(grapnel_instance* instance, const grapnel_state_writer* writer) {...}
 *   HOSTILE_STATE_PLUGIN(NULL, save, hostile_load_nothing)
 */
#ifndef GRAPNEL_TESTS_HOSTILE_STATE_H_
#define GRAPNEL_TESTS_HOSTILE_STATE_H_

#include <grapnel/ext/state.h>

#include "hostile.h"

static inline int32_t GRAPNEL_CALL hostile_load_nothing(grapnel_instance* instance,
                                                        const grapnel_state_reader* reader) {
  (void)instance;
  (void)reader;
  return GRAPNEL_OK;
}

#define HOSTILE_STATE_PLUGIN(key, save, load)                                     \
  static const grapnel_state state = {sizeof(grapnel_state), 0, key, save, load}; \
  HOSTILE_PLUGIN_WITH_EXTENSION(GRAPNEL_EXT_STATE, state)

#endif /* GRAPNEL_TESTS_HOSTILE_STATE_H_ */
