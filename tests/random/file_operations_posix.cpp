#include "file_operations.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdarg>
#include <cstdio>

namespace grapnel::random_test {

namespace {

std::atomic<int64_t> g_own_counter{0};
std::atomic<std::atomic<int64_t>*> g_operations{&g_own_counter};
std::atomic<int64_t> g_kill_at{0};

void operation() {
  if (++*g_operations.load() == g_kill_at) ::kill(::getpid(), SIGKILL);
}

template <class Function>
Function* real(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

int opened(const char* name, const char* path, int flags, mode_t mode) {
  static auto* const next = real<int(const char*, int, ...)>("open");
  (void)name;
  if ((flags & (O_CREAT | O_TRUNC)) != 0) operation();
  return next(path, flags, mode);
}

}  // namespace

void count_file_operations(int64_t kill_at, std::atomic<int64_t>* counter) {
  g_kill_at = kill_at;
  g_operations = counter == nullptr ? &g_own_counter : counter;
  *g_operations.load() = 0;
}

int64_t file_operations() {
  return *g_operations.load();
}

}  // namespace grapnel::random_test

#define GRAPNEL_IN_PLACE_OF_LIBC extern "C" __attribute__((visibility("default")))

using grapnel::random_test::opened;
using grapnel::random_test::operation;
using grapnel::random_test::real;

GRAPNEL_IN_PLACE_OF_LIBC int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  return opened("open", path, flags, mode);
}
GRAPNEL_IN_PLACE_OF_LIBC ssize_t write(int file, const void* bytes, size_t size) {
  static auto* const next = real<ssize_t(int, const void*, size_t)>("write");
  if (file > STDERR_FILENO) operation();
  return next(file, bytes, size);
}
GRAPNEL_IN_PLACE_OF_LIBC int fsync(int /*file*/) {
  operation();
  return 0;
}
GRAPNEL_IN_PLACE_OF_LIBC int rename(const char* from, const char* to) noexcept {
  static auto* const next = real<int(const char*, const char*)>("rename");
  operation();
  return next(from, to);
}
GRAPNEL_IN_PLACE_OF_LIBC int remove(const char* path) noexcept {
  static auto* const next = real<int(const char*)>("remove");
  operation();
  return next(path);
}
GRAPNEL_IN_PLACE_OF_LIBC int unlink(const char* path) noexcept {
  static auto* const next = real<int(const char*)>("unlink");
  operation();
  return next(path);
}
GRAPNEL_IN_PLACE_OF_LIBC int symlink(const char* target, const char* path) noexcept {
  static auto* const next = real<int(const char*, const char*)>("symlink");
  operation();
  return next(target, path);
}
GRAPNEL_IN_PLACE_OF_LIBC int mkdir(const char* path, mode_t mode) noexcept {
  static auto* const next = real<int(const char*, mode_t)>("mkdir");
  operation();
  return next(path, mode);
}
