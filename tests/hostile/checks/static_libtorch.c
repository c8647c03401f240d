/* It is linked with a library that is called as LibTorch's is. */
#include "good.h"

GOOD_HOOKS(good_batch_end)
GOOD_PLUGIN(hooks, hostile_no_extension)
