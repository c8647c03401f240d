/* The only one of its factories is a null pointer. */
#include "hostile.h"

static const grapnel_factory* const factories[] = {NULL};
HOSTILE_EXPORT = {sizeof(grapnel_plugin), GRAPNEL_ABI_TARGET, 1, factories, GRAPNEL_MANIFEST, NULL};
