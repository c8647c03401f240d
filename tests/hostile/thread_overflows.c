/* A thread of its own uses up its stack. */
#define _POSIX_C_SOURCE 200809L

static volatile int depth;

static int deeper(volatile char* outer) {
  volatile char here[4096];
  here[0] = outer[0];
  ++depth;
  return depth < 0 ? 0 : deeper(here) + here[0];
}

static void work(void) {
  volatile char start[1] = {0};
  depth = deeper(start);
}

#include "own_thread.h"
