/* A shared library with a manifest and no entry at all. */
#include "hostile.h"

GRAPNEL_PLUGIN_EXPORT extern const int not_an_entry;
const int not_an_entry = 1;
