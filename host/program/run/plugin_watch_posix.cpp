#include "plugin_watch.h"

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include <grapnel/bridge/running_plugin.h>
#include <grapnel/host/crash_note.h>

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#if defined(__linux__)
#include <sys/syscall.h>
#endif
#include <unistd.h>

namespace grapnel::program {

namespace {

std::atomic<bool> is_watching = false;
pid_t watching_process = 0;  // its children end as they like

bool is_watched() noexcept {
  return is_watching && ::getpid() == watching_process;
}

}  // namespace

// Of the streams only the standard ones: another thread may wait in one, and hold its lock.
void end_process(int code) noexcept {
  is_watching = false;
  std::fflush(stdout);
  std::fflush(stderr);
#if defined(__SANITIZE_ADDRESS__)
  std::exit(code);  // leaks are looked for there
#else
  std::_Exit(code);
#endif
}

namespace {

// Those that end a process unless it handles them, but for what the program has a handler for.
constexpr int kFatal[] = {SIGSEGV, SIGBUS, SIGILL,  SIGFPE,  SIGABRT,
                          SIGTRAP, SIGSYS, SIGUSR2, SIGPROF, SIGVTALRM};
constexpr std::size_t kStackBytes = std::size_t{64} << 10;

// Made by watch_plugins(), read in handlers.
char without_it[4096];       // "grapnel fit --config run.json --no-plugin "
char notes_directory[4096];  // with a '/' at its end; empty: no notes

// Since a Ctrl-C; and the call that ran when it was looked at last.
std::atomic<bool> is_stopping = false;
std::atomic<const bridge::RunningPlugin*> hanging_plugin = nullptr;
std::atomic<std::uint64_t> hanging_call = 0;
std::atomic<bool> is_told = false;

// A line of text in a handler's memory.
class Line {
 public:
  Line& add(const char* text) noexcept {
    while (*text != '\0' && used_ + 1 < sizeof text_) text_[used_++] = *text++;
    return *this;
  }
  Line& add(std::int64_t number) noexcept {
    char digits[24];
    char* at = digits + sizeof digits;
    *--at = '\0';
    const bool is_negative = number < 0;
    auto rest =
        is_negative ? 0 - static_cast<std::uint64_t>(number) : static_cast<std::uint64_t>(number);
    do *--at = static_cast<char>('0' + rest % 10);
    while ((rest /= 10) != 0);
    if (is_negative) *--at = '-';
    return add(at);
  }
  const char* text() noexcept {
    text_[used_] = '\0';
    return text_;
  }
  void write_to(int file) noexcept {
    std::size_t done = 0;
    while (done < used_) {
      const ssize_t count = ::write(file, text_ + done, used_ - done);
      if (count <= 0) return;
      done += static_cast<std::size_t>(count);
    }
  }

 private:
  char text_[8192];
  std::size_t used_ = 0;
};

const char* name_of(int number) noexcept {
  switch (number) {
    case SIGSEGV:
      return "SIGSEGV";
    case SIGBUS:
      return "SIGBUS";
    case SIGILL:
      return "SIGILL";
    case SIGFPE:
      return "SIGFPE";
    case SIGTRAP:
      return "SIGTRAP";
    case SIGSYS:
      return "SIGSYS";
    case SIGUSR2:
      return "SIGUSR2";
    case SIGPROF:
      return "SIGPROF";
    case SIGVTALRM:
      return "SIGVTALRM";
    default:
      return "SIGABRT";
  }
}

Line& add_place(Line& line, const bridge::RunningPlugin& running) noexcept {
  line.add(running.function);
  if (*running.callback != '\0') line.add(" of its callback '").add(running.callback).add("'");
  if (running.batch_idx >= 0) line.add(", batch ").add(running.batch_idx);
  return line;
}

// what: "crashed (SIGSEGV)", "ended the process (exit(0))".
void tell(const bridge::RunningPlugin& running, const char* what) noexcept {
  Line line;
  line.add("grapnel: error: plugin '").add(running.plugin).add("' ").add(running.version).add(" ");
  line.add(what).add(" in ");
  add_place(line, running);
  line.add("; to run without it: ").add(*without_it == '\0' ? "--no-plugin " : without_it);
  line.add(running.plugin).add("\n");
  line.write_to(STDERR_FILENO);

  if (notes_directory[0] == '\0') return;
  Line path;
  path.add(notes_directory).add(running.plugin);
  const int file = ::open(path.text(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return;
  Line note;  // as host/crash_note.h reads it
  note.add(running.version).add("\n").add(what).add(" in ");
  add_place(note, running).add("\n");
  note.write_to(file);
  ::close(file);
}

// Unless it is told already.
void tell_of_crash(int number) noexcept {
  static std::atomic<bool> is_crashing = false;
  const bridge::RunningPlugin* const running = is_watched() ? bridge::running_plugin() : nullptr;
  if (running == nullptr || is_crashing.exchange(true)) return;
  Line what;
  what.add("crashed (").add(name_of(number)).add(")");
  tell(*running, what.text());
}

extern "C" void on_fatal_signal(int number, siginfo_t* info, void*) {
  ::signal(number, SIG_DFL);
  // Another process's signal has nothing to do with the function that runs.
  const bool is_sent = info->si_code == SI_USER || info->si_code == SI_QUEUE;
  if (!is_sent || info->si_pid == ::getpid()) tell_of_crash(number);
  ::raise(number);  // its default action, when this returns
}

// Every second from the first Ctrl-C to the run's end. A call that was there a second ago is told,
// once.
extern "C" void on_alarm(int number) {
  if (!is_stopping) {  // not ours: a limit that the process was started with
    ::signal(number, SIG_DFL);
    ::raise(number);
    return;
  }
  const bridge::RunningPlugin* const running = bridge::running_plugin();
  const std::uint64_t call = running == nullptr ? 0 : running->number;
  if (running != nullptr && running == hanging_plugin && call == hanging_call && !is_told) {
    Line line;
    line.add("grapnel: waiting for plugin '").add(running->plugin).add("' in ");
    add_place(line, *running);
    line.add("; press Ctrl-C once more to end now\n");
    line.write_to(STDERR_FILENO);
    is_told = true;
  }
  if (running != hanging_plugin || call != hanging_call) is_told = false;
  hanging_plugin = running;
  hanging_call = call;
  ::alarm(1);
}

std::string quoted_for_shell(const std::string& argument) {
  const auto is_plain = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           std::strchr("-_./=:,+@%", c) != nullptr;
  };
  if (!argument.empty() && std::ranges::all_of(argument, is_plain)) return argument;
  std::string quoted = "'";
  for (const char c : argument) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

template <std::size_t N>
void keep(char (&place)[N], const std::string& text) {
  if (text.size() >= N) return;  // then the line goes without it
  std::memcpy(place, text.c_str(), text.size() + 1);
}

// Something other than end_process() ends the process: whoever it is, the program's work isn't done.
// A plugin's function that runs is named; a thread of a plugin has none.
void refuse_exit(const char* function, int code) noexcept {
  if (!is_watched()) return;
  Line what;
  what.add("ended the process (").add(function).add("(").add(code).add("))");
  if (const bridge::RunningPlugin* running = bridge::running_plugin()) {
    tell(*running, what.text());
  } else {
    Line line;
    line.add("grapnel: error: a library or a plugin's thread ").add(what.text());
    line.add(" before the run's end\n");
    line.write_to(STDERR_FILENO);
  }
  is_watching = false;
#if defined(__SANITIZE_ADDRESS__)
  std::_Exit(1);
#else
  for (;;) ::syscall(SYS_exit_group, 1);
#endif
}

#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
// What the C library itself ends (errx), which doesn't ask for the program's exit().
void on_exit_of_libc(int code, void*) {
  refuse_exit("exit", code);
}
#endif

}  // namespace

void watch_plugins(const std::vector<std::string>& arguments) {
  std::string command = "grapnel";
  for (const std::string& argument : arguments) command += " " + quoted_for_shell(argument);
  keep(without_it, command + " --no-plugin ");
  const std::filesystem::path notes =
      host::make_crash_notes_directory(host::HostDirectories::of_this_user());
  if (!notes.empty()) keep(notes_directory, notes.string() + "/");

  // A stack of their own: a plugin may have used up the thread's.
  void* const memory =
      ::mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory != MAP_FAILED) {
    stack_t stack{};
    stack.ss_sp = memory;
    stack.ss_size = kStackBytes;
    ::sigaltstack(&stack, nullptr);
  }
  struct sigaction action {};
  action.sa_sigaction = on_fatal_signal;
  action.sa_flags = SA_ONSTACK | SA_SIGINFO;
  for (const int number : kFatal) {
    struct sigaction before {};
    if (::sigaction(number, nullptr, &before) == 0 && before.sa_handler == SIG_DFL) {
      ::sigaction(number, &action, nullptr);
    }
  }
  ::signal(SIGALRM, on_alarm);
#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  ::on_exit(on_exit_of_libc, nullptr);
#endif
  watching_process = ::getpid();
  is_watching = true;
}

void tell_of_hangs() noexcept {
  if (!is_watching || is_stopping) return;
  hanging_plugin = bridge::running_plugin();
  hanging_call = hanging_plugin == nullptr ? 0 : hanging_plugin.load()->number;
  is_stopping = true;
  ::alarm(1);
}

void tell_of_no_hangs() noexcept {
  if (!is_stopping) return;
  ::alarm(0);
  is_stopping = false;
}

}  // namespace grapnel::program

#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

// These come before the C library's in every library that asks for one (plugin_watch.h says why). The
// linker option --export-dynamic-symbol and the attribute make them visible there.
#define GRAPNEL_IN_PLACE_OF_LIBC extern "C" __attribute__((visibility("default"))) void

// Told also where SIGABRT is ignored.
GRAPNEL_IN_PLACE_OF_LIBC abort() noexcept {
  grapnel::program::tell_of_crash(SIGABRT);
  ::signal(SIGABRT, SIG_DFL);
  sigset_t aborts;
  sigemptyset(&aborts);
  sigaddset(&aborts, SIGABRT);
  pthread_sigmask(SIG_UNBLOCK, &aborts, nullptr);
  ::raise(SIGABRT);
  for (;;) syscall(SYS_exit_group, 128 + SIGABRT);
}

GRAPNEL_IN_PLACE_OF_LIBC _exit(int code) {
  grapnel::program::refuse_exit("_exit", code);
  for (;;) syscall(SYS_exit_group, code);
}

GRAPNEL_IN_PLACE_OF_LIBC _Exit(int code) noexcept {
  grapnel::program::refuse_exit("_Exit", code);
  for (;;) syscall(SYS_exit_group, code);
}

GRAPNEL_IN_PLACE_OF_LIBC exit(int code) noexcept {
  grapnel::program::refuse_exit("exit", code);
  using Exit = void (*)(int);
  const auto next = reinterpret_cast<Exit>(dlsym(RTLD_NEXT, "exit"));
  if (next != nullptr) next(code);
  for (;;) syscall(SYS_exit_group, code);
}

GRAPNEL_IN_PLACE_OF_LIBC quick_exit(int code) noexcept {
  grapnel::program::refuse_exit("quick_exit", code);
  using Exit = void (*)(int);
  const auto next = reinterpret_cast<Exit>(dlsym(RTLD_NEXT, "quick_exit"));
  if (next != nullptr) next(code);
  for (;;) syscall(SYS_exit_group, code);
}

#endif
