/* It is linked with a library that is not installed. */
#include "needs_by_path.c"
