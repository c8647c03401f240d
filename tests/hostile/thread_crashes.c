/* A thread of its own crashes in a function of the C library, while no hook of it runs. */
#define _POSIX_C_SOURCE 200809L
#include <string.h>

static const char* volatile no_text = NULL;
static volatile size_t length;

static void work(void) {
  length = strlen(no_text);
}

#include "own_thread.h"
