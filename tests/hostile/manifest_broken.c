/* The manifest in it is cut off in the middle. */
#include "hostile.h"

HOSTILE_PLUGIN(hostile_create)
