/* It needs a library by a path from the working directory. */
#include "needs_by_path.c"
