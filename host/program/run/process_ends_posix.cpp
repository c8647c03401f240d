// The functions by which a process ends itself or becomes another program, in place of the C library's:
// they come first in every library that this program loads, those of RTLD_LOCAL too
// (plugin_watch.h says why). The linker option --export-dynamic-symbol and the attribute make them
// visible there. Sanitizers have functions of their own.
#include "plugin_blame.h"

#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

#include <cerrno>
#include <cstdarg>

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace grapnel::program {
namespace {

void refuse_exit(const char* function, std::int64_t code, const void* caller) noexcept {
  SignalLine what;
  what.add("ended the process (").add(function).add("(").add(code).add("))");
  refuse_end(what.text(), caller);
}

void refuse_exec(const char* function, const void* caller) noexcept {
  SignalLine what;
  what.add("replaced the process by another program (").add(function).add(")");
  refuse_end(what.text(), caller);
}

template <class Type>
Type next(const char* name) noexcept {
  return reinterpret_cast<Type>(::dlsym(RTLD_NEXT, name));
}

struct Libc {
  int (*execve)(const char*, char* const*, char* const*) = next<decltype(execve)>("execve");
  int (*execvpe)(const char*, char* const*, char* const*) = next<decltype(execvpe)>("execvpe");
  int (*fexecve)(int, char* const*, char* const*) = next<decltype(fexecve)>("fexecve");
  int (*execveat)(int, const char*, char* const*, char* const*,
                  int) = next<decltype(execveat)>("execveat");
  void (*exit)(int) = next<decltype(exit)>("exit");
  void (*quick_exit)(int) = next<decltype(quick_exit)>("quick_exit");
};

// Found before any process is forked, in which a lock of the dynamic loader may be held; or by the first
// call, of a library's initializer that runs before this program's.
const Libc& libc() noexcept {
  static const Libc found;
  return found;
}
const Libc& found_early = libc();

}  // namespace
}  // namespace grapnel::program

#define GRAPNEL_IN_PLACE_OF_LIBC extern "C" __attribute__((visibility("default")))

namespace program = grapnel::program;

// Told also where SIGABRT is ignored. As the C library's: first a handler that somebody installed, then
// the default action.
GRAPNEL_IN_PLACE_OF_LIBC void abort() noexcept {
  program::tell_of_crash(SIGABRT, __builtin_return_address(0));
  sigset_t aborts;
  sigemptyset(&aborts);
  sigaddset(&aborts, SIGABRT);
  pthread_sigmask(SIG_UNBLOCK, &aborts, nullptr);
  ::raise(SIGABRT);
  ::signal(SIGABRT, SIG_DFL);
  ::raise(SIGABRT);
  program::end_at_once(128 + SIGABRT);
}

GRAPNEL_IN_PLACE_OF_LIBC void _exit(int code) {
  program::refuse_exit("_exit", code, __builtin_return_address(0));
  program::end_at_once(code);
}

GRAPNEL_IN_PLACE_OF_LIBC void _Exit(int code) noexcept {
  program::refuse_exit("_Exit", code, __builtin_return_address(0));
  program::end_at_once(code);
}

GRAPNEL_IN_PLACE_OF_LIBC void exit(int code) noexcept {
  program::refuse_exit("exit", code, __builtin_return_address(0));
  if (program::libc().exit != nullptr) program::libc().exit(code);
  program::end_at_once(code);
}

GRAPNEL_IN_PLACE_OF_LIBC void quick_exit(int code) noexcept {
  program::refuse_exit("quick_exit", code, __builtin_return_address(0));
  if (program::libc().quick_exit != nullptr) program::libc().quick_exit(code);
  program::end_at_once(code);
}

// The C library's functions call each other directly, so that each stands here.

#define GRAPNEL_REFUSE_EXEC() program::refuse_exec(__func__, __builtin_return_address(0))

GRAPNEL_IN_PLACE_OF_LIBC int execve(const char* path, char* const* arguments,
                                    char* const* variables) noexcept {
  GRAPNEL_REFUSE_EXEC();
  return program::libc().execve(path, arguments, variables);
}

GRAPNEL_IN_PLACE_OF_LIBC int execv(const char* path, char* const* arguments) noexcept {
  GRAPNEL_REFUSE_EXEC();
  return program::libc().execve(path, arguments, environ);
}

GRAPNEL_IN_PLACE_OF_LIBC int execvpe(const char* file, char* const* arguments,
                                     char* const* variables) noexcept {
  GRAPNEL_REFUSE_EXEC();
  return program::libc().execvpe(file, arguments, variables);
}

GRAPNEL_IN_PLACE_OF_LIBC int execvp(const char* file, char* const* arguments) noexcept {
  GRAPNEL_REFUSE_EXEC();
  return program::libc().execvpe(file, arguments, environ);
}

GRAPNEL_IN_PLACE_OF_LIBC int fexecve(int file, char* const* arguments,
                                     char* const* variables) noexcept {
  GRAPNEL_REFUSE_EXEC();
  return program::libc().fexecve(file, arguments, variables);
}

GRAPNEL_IN_PLACE_OF_LIBC int execveat(int directory, const char* path, char* const* arguments,
                                      char* const* variables, int flags) noexcept {
  GRAPNEL_REFUSE_EXEC();
  return program::libc().execveat(directory, path, arguments, variables, flags);
}

// A function whose arguments are a list that ends with NULL; after it comes what `last` reads.
#define GRAPNEL_EXEC_OF_LIST(call)                                                             \
  GRAPNEL_REFUSE_EXEC();                                                                       \
  va_list list;                                                                                \
  va_start(list, first);                                                                       \
  std::size_t count = 1;                                                                       \
  while (va_arg(list, char*) != nullptr) ++count;                                              \
  va_end(list);                                                                                \
  auto** const arguments = static_cast<char**>(__builtin_alloca((count + 1) * sizeof(char*))); \
  arguments[0] = const_cast<char*>(first);                                                     \
  va_start(list, first);                                                                       \
  for (std::size_t i = 1; i <= count; ++i) arguments[i] = va_arg(list, char*);                 \
  const int result = call;                                                                     \
  va_end(list);                                                                                \
  return result

GRAPNEL_IN_PLACE_OF_LIBC int execl(const char* path, const char* first, ...) noexcept {
  GRAPNEL_EXEC_OF_LIST(program::libc().execve(path, arguments, environ));
}

GRAPNEL_IN_PLACE_OF_LIBC int execlp(const char* file, const char* first, ...) noexcept {
  GRAPNEL_EXEC_OF_LIST(program::libc().execvpe(file, arguments, environ));
}

GRAPNEL_IN_PLACE_OF_LIBC int execle(const char* path, const char* first, ...) noexcept {
  GRAPNEL_EXEC_OF_LIST(program::libc().execve(path, arguments, va_arg(list, char* const*)));
}

#if defined(__x86_64__)

// Calls made by hand. They go to the kernel as the C library's own would.
GRAPNEL_IN_PLACE_OF_LIBC long syscall(long number, ...) noexcept {
  va_list list;
  va_start(list, number);
  const long a = va_arg(list, long), b = va_arg(list, long), c = va_arg(list, long);
  const long d = va_arg(list, long), e = va_arg(list, long), f = va_arg(list, long);
  va_end(list);
  const void* const caller = __builtin_return_address(0);
  if (number == SYS_exit_group) program::refuse_exit("the system call exit_group", a, caller);
  if (number == SYS_execve) program::refuse_exec("the system call execve", caller);
  if (number == SYS_execveat) program::refuse_exec("the system call execveat", caller);
  // The main thread's end leaves a process that does nothing.
  if (number == SYS_exit && ::gettid() == ::getpid()) {
    program::refuse_exit("the system call exit", a, caller);
  }
  long result = number;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "+a"(result)
                   : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  if (result < 0 && result > -4096) {
    errno = static_cast<int>(-result);
    return -1;
  }
  return result;
}

#endif

#endif
