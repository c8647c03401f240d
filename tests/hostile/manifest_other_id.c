/* The manifest in it gives another id than the one beside it. */
#include "hostile.h"

HOSTILE_PLUGIN(hostile_create)
