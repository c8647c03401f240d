/* It needs the library "%LIB.so": as "$LIB.so", which a test makes of it, the loader would make that a
 * path from the working directory. */
#include "needs_by_path.c"
