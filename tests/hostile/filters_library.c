/* It is a filter of another library, which the loader loads with it. */
#include "hostile.h"

HOSTILE_PLUGIN(hostile_create)
