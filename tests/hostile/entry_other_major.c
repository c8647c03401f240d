/* It has no entry of this host's ABI major, only one of a later major. */
#include "hostile.h"

GRAPNEL_PLUGIN_EXPORT extern const grapnel_plugin grapnel_plugin_v99;
const grapnel_plugin grapnel_plugin_v99 = {sizeof(grapnel_plugin), 0,   0, NULL,
                                           GRAPNEL_MANIFEST,       NULL};
