/* Its hook fails when the loss is not finite. */
#include <math.h>

#include <grapnel/ext/outputs.h>

#include "good.h"

static int32_t GRAPNEL_CALL hook(grapnel_instance* instance, const grapnel_Event* event) {
  const grapnel_host* host = good_of(instance)->host;
  const grapnel_step_outputs* outputs = hostile_find(host, GRAPNEL_EXT_OUTPUTS);
  double loss = 0;
  if (outputs == NULL) return GRAPNEL_OK;
  if (outputs->loss(host, ((const grapnel_TrainBatchEnd*)event)->outputs, &loss) != GRAPNEL_OK) {
    return GRAPNEL_OK;
  }
  return isfinite(loss) ? GRAPNEL_OK : hostile_fail(host, "what a loss");
}
GOOD_HOOKS(hook)
GOOD_PLUGIN(hooks, hostile_no_extension)
