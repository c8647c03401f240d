/* The table of its state extension claims to be too small to hold save and load. */
#include <grapnel/ext/state.h>

#include "hostile.h"

static const grapnel_state state = {8, 0, NULL, NULL, NULL};
HOSTILE_PLUGIN_WITH_EXTENSION(GRAPNEL_EXT_STATE, state)
