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

}  // namespace

void end_process(int code) noexcept {
  is_watching = false;
  std::fflush(nullptr);
#if defined(__SANITIZE_ADDRESS__)
  std::exit(code);  // leaks are looked for there
#else
  std::_Exit(code);
#endif
}

namespace {

constexpr int kFatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
constexpr std::size_t kStackBytes = std::size_t{64} << 10;

// Made by watch_plugins(), read in handlers.
char without_it[4096];       // "grapnel fit --config run.json --no-plugin "
char notes_directory[4096];  // with a '/' at its end; empty: no notes
std::atomic<std::uint64_t> hanging_call = 0;

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
  line.add("; to run without it: ").add(without_it).add(running.plugin).add("\n");
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

extern "C" void on_fatal_signal(int number) {
  ::signal(number, SIG_DFL);
  if (const bridge::RunningPlugin* running = bridge::running_plugin()) {
    Line what;
    what.add("crashed (").add(name_of(number)).add(")");
    tell(*running, what.text());
  }
  ::raise(number);  // its default action, when this returns
}

extern "C" void on_alarm(int) {
  const bridge::RunningPlugin* running = bridge::running_plugin();
  if (running == nullptr || running->number != hanging_call) return;
  Line line;
  line.add("grapnel: waiting for plugin '").add(running->plugin).add("' in ");
  add_place(line, *running);
  line.add("; press Ctrl-C once more to end now\n");
  line.write_to(STDERR_FILENO);
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
  action.sa_handler = on_fatal_signal;
  action.sa_flags = SA_ONSTACK;
  for (const int number : kFatal) {
    struct sigaction before {};
    if (::sigaction(number, nullptr, &before) == 0 && before.sa_handler == SIG_DFL) {
      ::sigaction(number, &action, nullptr);
    }
  }
  ::signal(SIGALRM, on_alarm);
  watching_process = ::getpid();
  is_watching = true;
}

void tell_of_a_hang_soon() noexcept {
  const bridge::RunningPlugin* running = bridge::running_plugin();
  if (running == nullptr || !is_watching) return;
  hanging_call = running->number;
  ::alarm(1);
}

namespace {

// Called when something other than end_process() ends the process. Where that is a plugin's code, it
// is told and the process ends here, with a code that isn't 0.
void refuse_exit(const char* function, int code) noexcept {
  if (!is_watching || ::getpid() != watching_process) return;
  const bridge::RunningPlugin* running = bridge::running_plugin();
  if (running == nullptr) return;
  Line what;
  what.add("ended the process (").add(function).add("(").add(code).add("))");
  tell(*running, what.text());
  end_process(1);
}

}  // namespace

}  // namespace grapnel::program

#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

// These come before the C library's in every library that asks for one (plugin_watch.h says why). The
// linker option --export-dynamic-symbol and the attribute make them visible there.
#define GRAPNEL_IN_PLACE_OF_LIBC extern "C" __attribute__((visibility("default"))) void

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
