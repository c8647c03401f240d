/* It searches libraries in the directory that it lies in. */
#include "hostile.h"

HOSTILE_PLUGIN(hostile_create)
