/* It wants no hook. */
#include "good.h"

HOSTILE_PLUGIN(hostile_create)
