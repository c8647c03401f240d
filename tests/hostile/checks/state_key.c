/* Its key is another one each time. */
#include "good_state.h"

static int32_t GRAPNEL_CALL key(grapnel_instance* instance, grapnel_string* out) {
  static const char digits[] = "0123456789";
  static size_t calls = 0;
  (void)instance;
  out->data = &digits[calls++ % 10];
  out->size = 1;
  return GRAPNEL_OK;
}
GOOD_STATE_PLUGIN(key, good_save, good_load)
