/* Its factory claims to be smaller than the fields that every host needs. */
#include "hostile.h"

static const grapnel_factory factory = {8, 0, {HOSTILE_NAME, sizeof HOSTILE_NAME - 1}, NULL};
static const grapnel_factory* const factories[] = {&factory};
HOSTILE_EXPORT = {sizeof(grapnel_plugin), GRAPNEL_ABI_TARGET, 1, factories, GRAPNEL_MANIFEST, NULL};
