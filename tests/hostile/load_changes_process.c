/* While it is loaded, it changes what belongs to the whole process: a signal's handler, the working
 * directory, the environment, the locale, the file mode mask. */
#include <locale.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hostile.h"

static void ignore(int number) {
  (void)number;
}

__attribute__((constructor)) static void at_load(void) {
  signal(SIGINT, ignore);
  setenv("GRAPNEL_HOSTILE", "was here", 1);
  setlocale(LC_ALL, "C.UTF-8");
  umask(0);
  if (chdir("/") != 0) abort();
}

HOSTILE_PLUGIN(hostile_create)
