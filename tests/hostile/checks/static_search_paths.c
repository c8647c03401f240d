/* It looks for libraries in a directory of its author. */
#include "good.h"

GOOD_HOOKS(good_batch_end)
GOOD_PLUGIN(hooks, hostile_no_extension)
