/* Its callback has a parameter without a default, so no host can try it. */
#include "good.h"

GOOD_HOOKS(good_batch_end)
GOOD_PLUGIN(hooks, hostile_no_extension)
