/* Its entry claims to be smaller than the fields that every host needs. */
#include "hostile.h"

HOSTILE_EXPORT = {4, GRAPNEL_ABI_TARGET, 0, NULL, GRAPNEL_MANIFEST, NULL};
