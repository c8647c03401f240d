/* There is no manifest in it, only one beside it. */
#include "hostile.h"

HOSTILE_PLUGIN(hostile_create)
