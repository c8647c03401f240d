/* It makes the loader load an auditor. */
#include "hostile.h"

HOSTILE_PLUGIN(hostile_create)
