/* good.h with a state in which nothing is wrong: "batches" and "unit". */
#ifndef GRAPNEL_TESTS_HOSTILE_CHECKS_GOOD_STATE_H_
#define GRAPNEL_TESTS_HOSTILE_CHECKS_GOOD_STATE_H_

#include <grapnel/ext/state.h>

#include "good.h"

static inline int32_t GRAPNEL_CALL good_save(grapnel_instance* instance,
                                             const grapnel_state_writer* writer) {
  const int32_t status =
      writer->put_i64(writer, hostile_text("batches"), good_of(instance)->batches);
  return status != GRAPNEL_OK ? status : writer->put_i64(writer, hostile_text("unit"), 1);
}

/* The status of the first that can't be read. */
static inline int32_t good_read(const grapnel_state_reader* reader, int64_t* batches) {
  int64_t unit = 0;
  const int32_t status = reader->get_i64(reader, hostile_text("batches"), batches);
  return status != GRAPNEL_OK ? status : reader->get_i64(reader, hostile_text("unit"), &unit);
}

static inline int32_t GRAPNEL_CALL good_load(grapnel_instance* instance,
                                             const grapnel_state_reader* reader) {
  int64_t batches = 0;
  if (good_read(reader, &batches) != GRAPNEL_OK) {
    return hostile_fail(good_of(instance)->host, "no number of batches and unit in this state");
  }
  good_of(instance)->batches = batches;
  return GRAPNEL_OK;
}

#define GOOD_STATE_PLUGIN(key, save, load)                                                 \
  GOOD_HOOKS(good_batch_end)                                                               \
  static const grapnel_state state = {sizeof(grapnel_state), 0, key, save, load};          \
  static int32_t GRAPNEL_CALL get_extension(grapnel_instance* instance, grapnel_string id, \
                                            const void** table) {                          \
    (void)instance;                                                                        \
    return hostile_offer(id, GRAPNEL_EXT_STATE, &state, table);                            \
  }                                                                                        \
  GOOD_PLUGIN(hooks, get_extension)

#endif /* GRAPNEL_TESTS_HOSTILE_CHECKS_GOOD_STATE_H_ */
