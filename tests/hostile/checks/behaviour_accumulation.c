/* It needs an update after each batch. */
#include <grapnel/ext/trainer.h>

#include "good.h"

static int32_t GRAPNEL_CALL hook(grapnel_instance* instance, const grapnel_Event* event) {
  (void)event;
  const grapnel_host* host = good_of(instance)->host;
  const grapnel_trainer* trainer = hostile_find(host, GRAPNEL_EXT_TRAINER);
  const grapnel_trainer_state* state = NULL;
  if (trainer == NULL || trainer->state(host, &state) != GRAPNEL_OK) return GRAPNEL_OK;
  return state->accumulate_grad_batches == 1 ? GRAPNEL_OK : hostile_fail(host, "where is it?");
}
GOOD_HOOKS(hook)
GOOD_PLUGIN(hooks, hostile_no_extension)
