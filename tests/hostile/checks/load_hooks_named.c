/* Its manifest names a hook that its callback does not want. */
#include "good.h"

GOOD_HOOKS(good_batch_end)
GOOD_PLUGIN(hooks, hostile_no_extension)
