/* Its entry counts a factory and points to none. */
#include "hostile.h"

HOSTILE_EXPORT = {sizeof(grapnel_plugin), GRAPNEL_ABI_TARGET, 1, NULL, GRAPNEL_MANIFEST, NULL};
