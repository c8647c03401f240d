/* Its hook leaves denormal numbers flushed to zero and rounding downward, as code does that was compiled
 * with -ffast-math or forgot to put things back. */
#include <fenv.h>
#if defined(__SSE__)
#include <xmmintrin.h>
#endif

#include "hostile.h"

static int32_t GRAPNEL_CALL batch_start(grapnel_instance* instance, const grapnel_Event* event) {
  (void)event;
  (void)instance;
  fesetround(FE_DOWNWARD);
#if defined(__SSE__)
  _mm_setcsr(_mm_getcsr() | 0x8040);
#endif
  return GRAPNEL_OK;
}
static const grapnel_hook_entry* const hooks[] = {
    HOSTILE_HOOK(GRAPNEL_HOOK_on_train_batch_start, 0, batch_start)};
HOSTILE_PLUGIN_WITH_HOOKS(hooks)
