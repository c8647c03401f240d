/* Its manifest wants an extension that no host has. */
#include "hostile.h"

HOSTILE_PLUGIN(hostile_create)
