/* Its create forks, closes and replaces descriptors of the program, lowers limits and blocks a signal. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "hostile.h"

static int32_t GRAPNEL_CALL create(const grapnel_factory* factory_of, const grapnel_host* host,
                                   grapnel_instance** instance) {
  struct rlimit limit;
  sigset_t blocked;
  const int other = open("/dev/null", O_WRONLY);
  (void)factory_of;
  if (fork() < 0) return hostile_fail(host, "no child");
  close(STDIN_FILENO);
  dup2(other, STDOUT_FILENO);
  close(other);
  getrlimit(RLIMIT_NPROC, &limit);
  limit.rlim_cur = limit.rlim_cur / 2;
  setrlimit(RLIMIT_NPROC, &limit);
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  sigprocmask(SIG_BLOCK, &blocked, NULL);
  return hostile_new(host, instance, NULL, 0);
}

HOSTILE_PLUGIN(create)
