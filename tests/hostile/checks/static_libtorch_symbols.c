/* It wants a function of LibTorch's, if there is one. */
#include "good.h"

extern void of_libtorch(void) __asm__("_ZN2at4onesEv") __attribute__((weak));

static int32_t look(const grapnel_host* host) {
  (void)host;
  static void (*volatile found)(void);
  found = of_libtorch;
  return GRAPNEL_OK;
}
GOOD_HOOKS(good_batch_end)
GOOD_LIFE(hooks, hostile_no_extension, look)
