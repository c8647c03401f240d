/* Its factory has no create function. */
#include "hostile.h"

HOSTILE_PLUGIN(NULL)
