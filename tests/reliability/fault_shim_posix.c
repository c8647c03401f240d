/* A library to preload: one call of a kind on a file below a directory fails, as if the system had
 * refused it.
 *
 *   GRAPNEL_TEST_FAULT_BELOW=/a/directory   files elsewhere are never touched
 *   GRAPNEL_TEST_FAULT_CALL=write           open write read fsync rename close link unlink mkdir
 *   GRAPNEL_TEST_FAULT_AT=17                the 17th of them fails; unset: none
 *   GRAPNEL_TEST_FAULT_ERROR=28             with this errno; 0: a read or write of one byte only
 *   GRAPNEL_TEST_FAULT_STICKY=1             and every one after it
 *   GRAPNEL_TEST_FAULT_SLOW_MS=50           none fails, but each takes so long: a slow disk
 *   GRAPNEL_TEST_COUNT_FILE=/a/file         how many there were, written at the end of the process
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static const char* below;
static const char* call;
static const char* count_file;
static long fault_at;
static int fault_error;
static int is_sticky;
static int slow_ms;
static atomic_long calls;

/* Noted at each call: a program may end without running destructors. */
static void note_count(long number) {
  char text[32];
  if (count_file == NULL) return;
  const int file =
      (int)syscall(SYS_openat, AT_FDCWD, count_file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (file < 0) return;
  const int size = snprintf(text, sizeof text, "%ld\n", number);
  syscall(SYS_write, file, text, (size_t)size);
  syscall(SYS_close, file);
}

__attribute__((constructor)) static void begin(void) {
  const char* at = getenv("GRAPNEL_TEST_FAULT_AT");
  const char* error = getenv("GRAPNEL_TEST_FAULT_ERROR");
  const char* slow = getenv("GRAPNEL_TEST_FAULT_SLOW_MS");
  below = getenv("GRAPNEL_TEST_FAULT_BELOW");
  call = getenv("GRAPNEL_TEST_FAULT_CALL");
  count_file = getenv("GRAPNEL_TEST_COUNT_FILE");
  fault_at = at == NULL ? 0 : atol(at);
  fault_error = error == NULL ? EIO : atoi(error);
  is_sticky = getenv("GRAPNEL_TEST_FAULT_STICKY") != NULL;
  slow_ms = slow == NULL ? 0 : atoi(slow);
  note_count(0);
}

static void* next(const char* name) {
  return dlsym(RTLD_NEXT, name);
}

static int is_below(const char* path) {
  const size_t size = strlen(below);
  return strncmp(path, below, size) == 0 && (path[size] == '/' || path[size] == '\0');
}

/* Whether this call of this kind is the one that fails. */
static int fails(const char* kind, const char* path) {
  if (below == NULL || call == NULL || strcmp(kind, call) != 0 || !is_below(path)) return 0;
  const long number = ++calls;
  note_count(number);
  if (slow_ms > 0) {
    const struct timespec pause = {slow_ms / 1000, slow_ms % 1000 * 1000000L};
    nanosleep(&pause, NULL);
    return 0;
  }
  if (fault_at == 0 || (is_sticky ? number < fault_at : number != fault_at)) return 0;
  return 1;
}

static int fails_at(const char* kind, int directory, const char* path) {
  char full[PATH_MAX + 1] = "";
  if (below == NULL || call == NULL || strcmp(kind, call) != 0) return 0;
  if (path[0] == '/') return fails(kind, path);
  if (directory == AT_FDCWD) {
    if (getcwd(full, sizeof full - 1) == NULL) return 0;
  } else {
    char name[64];
    snprintf(name, sizeof name, "/proc/self/fd/%d", directory);
    const ssize_t size = readlink(name, full, sizeof full - 1);
    if (size < 0) return 0;
    full[size] = '\0';
  }
  if (strlen(full) + strlen(path) + 2 > sizeof full) return 0;
  strcat(full, "/");
  strcat(full, path);
  return fails(kind, full);
}

static int fails_of(const char* kind, int descriptor) {
  char name[64];
  char path[PATH_MAX + 1];
  if (below == NULL || call == NULL || strcmp(kind, call) != 0) return 0;
  snprintf(name, sizeof name, "/proc/self/fd/%d", descriptor);
  const ssize_t size = readlink(name, path, sizeof path - 1);
  if (size < 0) return 0;
  path[size] = '\0';
  return fails(kind, path);
}

#define REFUSE(result)   \
  do {                   \
    errno = fault_error; \
    return (result);     \
  } while (0)

/* ---- open */

#define MODE_OF(flags)                                              \
  mode_t mode = 0;                                                  \
  if (((flags)&O_CREAT) != 0 || ((flags)&O_TMPFILE) == O_TMPFILE) { \
    va_list rest;                                                   \
    va_start(rest, flags);                                          \
    mode = va_arg(rest, mode_t);                                    \
    va_end(rest);                                                   \
  }

int open(const char* path, int flags, ...) {
  MODE_OF(flags)
  if (fails_at("open", AT_FDCWD, path)) REFUSE(-1);
  return ((int (*)(const char*, int, mode_t))next("open"))(path, flags, mode);
}
int open64(const char* path, int flags, ...) {
  MODE_OF(flags)
  if (fails_at("open", AT_FDCWD, path)) REFUSE(-1);
  return ((int (*)(const char*, int, mode_t))next("open64"))(path, flags, mode);
}
int openat(int directory, const char* path, int flags, ...) {
  MODE_OF(flags)
  if (fails_at("open", directory, path)) REFUSE(-1);
  return ((int (*)(int, const char*, int, mode_t))next("openat"))(directory, path, flags, mode);
}
FILE* fopen(const char* path, const char* mode) {
  if (fails_at("open", AT_FDCWD, path)) REFUSE(NULL);
  return ((FILE * (*)(const char*, const char*)) next("fopen"))(path, mode);
}
FILE* fopen64(const char* path, const char* mode) {
  if (fails_at("open", AT_FDCWD, path)) REFUSE(NULL);
  return ((FILE * (*)(const char*, const char*)) next("fopen64"))(path, mode);
}

/* ---- reading and writing */

ssize_t write(int descriptor, const void* data, size_t size) {
  ssize_t (*real)(int, const void*, size_t) = (ssize_t(*)(int, const void*, size_t))next("write");
  if (fails_of("write", descriptor)) {
    if (fault_error != 0) REFUSE(-1);
    if (size > 1) size = 1;
  }
  return real(descriptor, data, size);
}
ssize_t writev(int descriptor, const struct iovec* pieces, int count) {
  ssize_t (*real)(int, const struct iovec*, int) =
      (ssize_t(*)(int, const struct iovec*, int))next("writev");
  if (fails_of("write", descriptor)) {
    if (fault_error != 0) REFUSE(-1);
    if (count > 1) count = 1;
  }
  return real(descriptor, pieces, count);
}
ssize_t read(int descriptor, void* data, size_t size) {
  ssize_t (*real)(int, void*, size_t) = (ssize_t(*)(int, void*, size_t))next("read");
  if (fails_of("read", descriptor)) {
    if (fault_error != 0) REFUSE(-1);
    if (size > 1) size = 1;
  }
  return real(descriptor, data, size);
}
static ssize_t pread_with(const char* name, int descriptor, void* data, size_t size, off_t offset) {
  ssize_t (*real)(int, void*, size_t, off_t) = (ssize_t(*)(int, void*, size_t, off_t))next(name);
  if (fails_of("read", descriptor)) {
    if (fault_error != 0) REFUSE(-1);
    if (size > 1) size = 1;
  }
  return real(descriptor, data, size, offset);
}
ssize_t pread(int descriptor, void* data, size_t size, off_t offset) {
  return pread_with("pread", descriptor, data, size, offset);
}
ssize_t pread64(int descriptor, void* data, size_t size, off_t offset) {
  return pread_with("pread64", descriptor, data, size, offset);
}
int fsync(int descriptor) {
  if (fails_of("fsync", descriptor)) REFUSE(-1);
  return ((int (*)(int))next("fsync"))(descriptor);
}
int fdatasync(int descriptor) {
  if (fails_of("fsync", descriptor)) REFUSE(-1);
  return ((int (*)(int))next("fdatasync"))(descriptor);
}
int close(int descriptor) {
  /* The descriptor is closed all the same, as Linux does it. */
  const int refused = fails_of("close", descriptor);
  const int result = ((int (*)(int))next("close"))(descriptor);
  if (refused) REFUSE(-1);
  return result;
}

int fclose(FILE* file) {
  const int refused = fails_of("close", fileno(file));
  const int result = ((int (*)(FILE*))next("fclose"))(file);
  if (refused) REFUSE(EOF);
  return result;
}

/* ---- names */

int rename(const char* from, const char* to) {
  if (fails_at("rename", AT_FDCWD, to)) REFUSE(-1);
  return ((int (*)(const char*, const char*))next("rename"))(from, to);
}
int link(const char* from, const char* to) {
  if (fails_at("link", AT_FDCWD, to)) REFUSE(-1);
  return ((int (*)(const char*, const char*))next("link"))(from, to);
}
int symlink(const char* target, const char* to) {
  if (fails_at("link", AT_FDCWD, to)) REFUSE(-1);
  return ((int (*)(const char*, const char*))next("symlink"))(target, to);
}
int unlink(const char* path) {
  if (fails_at("unlink", AT_FDCWD, path)) REFUSE(-1);
  return ((int (*)(const char*))next("unlink"))(path);
}
int unlinkat(int directory, const char* path, int flags) {
  if (fails_at("unlink", directory, path)) REFUSE(-1);
  return ((int (*)(int, const char*, int))next("unlinkat"))(directory, path, flags);
}
int remove(const char* path) {
  if (fails_at("unlink", AT_FDCWD, path)) REFUSE(-1);
  return ((int (*)(const char*))next("remove"))(path);
}
int mkdir(const char* path, mode_t mode) {
  if (fails_at("mkdir", AT_FDCWD, path)) REFUSE(-1);
  return ((int (*)(const char*, mode_t))next("mkdir"))(path, mode);
}
