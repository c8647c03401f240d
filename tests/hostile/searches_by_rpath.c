/* It searches libraries in a directory by DT_RPATH, the older tag. */
#include "hostile.h"

HOSTILE_PLUGIN(hostile_create)
