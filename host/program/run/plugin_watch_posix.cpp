#include "plugin_watch.h"

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <grapnel/bridge/running_plugin.h>

#include "plugin_blame.h"
#include "plugin_threads.h"

#include <signal.h>
#if defined(__linux__)
#include <ucontext.h>
#endif
#include <unistd.h>

namespace grapnel::program {

// Of the streams only the standard ones: another thread may wait in one, and hold its lock.
void end_process(int code) noexcept {
  stop_blaming();
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

// Since a Ctrl-C; and the call that ran when it was looked at last.
std::atomic<bool> is_stopping = false;
std::atomic<const bridge::RunningPlugin*> hanging_plugin = nullptr;
std::atomic<std::uint64_t> hanging_call = 0;
std::atomic<bool> is_told = false;

// Where the thread was; nullptr where that isn't known.
const void* address_of(const void* context) noexcept {
#if defined(__linux__) && defined(__x86_64__)
  return reinterpret_cast<const void*>(
      static_cast<const ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP]);
#elif defined(__linux__) && defined(__aarch64__)
  return reinterpret_cast<const void*>(static_cast<const ucontext_t*>(context)->uc_mcontext.pc);
#else
  (void)context;
  return nullptr;
#endif
}

extern "C" void on_fatal_signal(int number, siginfo_t* info, void* context) {
  // Another process's signal has nothing to do with the function that runs.
  const bool is_sent = info->si_code == SI_USER || info->si_code == SI_QUEUE;
  if (!is_sent || info->si_pid == ::getpid()) tell_of_crash(number, address_of(context));
  ::signal(number, SIG_DFL);  // not before: another thread's same signal would end the process
  ::raise(number);            // its default action, when this returns
}

// Every second from the first Ctrl-C to the run's end. A call that was there a second ago is told,
// once.
extern "C" void on_alarm(int number) {
  if (!is_stopping) {  // not ours: a limit that the process was started with
    ::signal(number, SIG_DFL);
    ::raise(number);
    return;
  }
  const int error = errno;  // of what is interrupted
  const bridge::RunningPlugin* const running = bridge::running_plugin();
  const std::uint64_t call = running == nullptr ? 0 : running->number;
  if (running != nullptr && running == hanging_plugin && call == hanging_call && !is_told) {
    SignalLine line;
    line.add("grapnel: waiting for plugin '").add(running->plugin).add("'");
    add_place(line, {running->plugin, running->version, running});
    line.add("; press Ctrl-C once more to end now\n");
    line.write_to(STDERR_FILENO);
    is_told = true;
  }
  if (running != hanging_plugin || call != hanging_call) is_told = false;
  hanging_plugin = running;
  hanging_call = call;
  ::alarm(1);
  errno = error;
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

#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
// What the C library itself ends (errx), which doesn't ask for the program's exit().
void on_exit_of_libc(int code, void*) {
  SignalLine what;
  what.add("ended the process (exit(").add(code).add("))");
  refuse_end(what.text(), nullptr);
}
#endif

// Never freed; an atomic, so that the compiler leaves it to leak checkers to find.
std::atomic<const SignalStack*> stack_of_main_thread = nullptr;

}  // namespace

void watch_plugins(const std::vector<std::string>& arguments) {
  std::string command = "grapnel";
  for (const std::string& argument : arguments) command += " " + quoted_for_shell(argument);

  // A plugin may have used up the thread's own stack.
  stack_of_main_thread = new SignalStack;
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
  start_blaming(command + " --no-plugin ");
}

void tell_of_hangs() noexcept {
  if (!is_blaming() || is_stopping) return;
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
