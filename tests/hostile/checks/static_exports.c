/* It exports a function of its own. */
#include "good.h"

__attribute__((visibility("default"))) int32_t exported_by_mistake(void);
int32_t exported_by_mistake(void) {
  return 1;
}
GOOD_HOOKS(good_batch_end)
GOOD_PLUGIN(hooks, hostile_no_extension)
