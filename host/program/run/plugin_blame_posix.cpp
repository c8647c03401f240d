#include "plugin_blame.h"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>

#include <grapnel/host/crash_note.h>
#include <grapnel/host/plugin_code.h>

#include "plugin_threads.h"
#include "running_note_writer.h"

#include <fcntl.h>
#include <signal.h>
#if defined(__linux__)
#include <sys/syscall.h>
#endif
#include <unistd.h>

namespace grapnel::program {
namespace {

std::atomic<bool> is_watching = false;
pid_t watching_process = 0;

// Made by start_blaming(), read in handlers.
char without_it[4096];       // "grapnel fit --config run.json --no-plugin "
char notes_directory[4096];  // with a '/' at its end; empty: no notes

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

template <std::size_t N>
void keep(char (&place)[N], const std::string& text) {
  if (text.size() >= N) return;  // then only the option is shown, or nothing is noted
  std::memcpy(place, text.c_str(), text.size() + 1);
}

}  // namespace

void start_blaming(const std::string& command) {
  keep(without_it, command);
  const std::filesystem::path notes =
      host::make_crash_notes_directory(host::HostDirectories::of_this_user());
  if (!notes.empty()) {
    keep(notes_directory, notes.string() + "/");
    keep_running_note(notes);
  }
  watching_process = ::getpid();
  is_watching = true;
}

void stop_blaming() noexcept {
  is_watching = false;
  if (::getpid() == watching_process) remove_running_note();
}

bool is_blaming() noexcept {
  return is_watching && ::getpid() == watching_process;
}

Culprit find_culprit(const void* address) noexcept {
  if (const bridge::RunningPlugin* running = bridge::running_plugin()) {
    return {running->plugin, running->version, running};
  }
  if (const host::PluginCode* owner = thread_owner()) {
    return {owner->plugin.c_str(), owner->version.c_str(), nullptr, /*on_own_thread=*/true};
  }
  if (const host::PluginCode* code = host::plugin_at(address)) {
    return {code->plugin.c_str(), code->version.c_str()};
  }
  return {};
}

SignalLine& add_place(SignalLine& line, const Culprit& culprit) noexcept {
  if (culprit.on_own_thread) return line.add(" on a thread of its own");
  if (culprit.running == nullptr) return line.add(" outside of the calls to it");
  const bridge::RunningPlugin& running = *culprit.running;
  line.add(" in ").add(running.function);
  if (*running.callback != '\0') line.add(" of its callback '").add(running.callback).add("'");
  if (running.batch_idx >= 0) line.add(", batch ").add(running.batch_idx);
  return line;
}

void blame(const Culprit& culprit, const char* what) noexcept {
  SignalLine line;
  line.add("grapnel: error: plugin '").add(culprit.plugin).add("' ").add(culprit.version).add(" ");
  add_place(line.add(what), culprit);
  line.add("; to run without it: ").add(*without_it == '\0' ? "--no-plugin " : without_it);
  line.add(culprit.plugin).add("\n");
  line.write_to(STDERR_FILENO);

  if (notes_directory[0] == '\0') return;
  SignalLine path;
  path.add(notes_directory).add(culprit.plugin);
  const int file = ::open(path.text(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return;
  SignalLine note;  // as host/crash_note.h reads it
  note.add(culprit.version).add("\n");
  add_place(note.add(what), culprit).add("\n");
  note.write_to(file);
  ::close(file);
}

void tell_of_crash(int number, const void* address) noexcept {
  static std::atomic<bool> is_crashing = false;
  static std::atomic<bool> is_told = false;
  if (!is_blaming()) return;
  if (is_crashing.exchange(true)) {  // another thread tells, and a return ends the process
    const timespec pause{0, 10'000'000};
    for (int i = 0; i < 100 && !is_told; ++i) ::nanosleep(&pause, nullptr);
    return;
  }
  remove_running_note();  // what it would say is known better now
  const Culprit culprit = find_culprit(address);
  if (culprit.plugin != nullptr) {
    SignalLine what;
    what.add("crashed (").add(name_of(number)).add(")");
    blame(culprit, what.text());
  }
  is_told = true;
}

void refuse_end(const char* what, const void* caller) noexcept {
  if (!is_blaming()) return;
  stop_blaming();
  const Culprit culprit = find_culprit(caller);
  if (culprit.plugin != nullptr) {
    blame(culprit, what);
  } else {
    SignalLine line;
    line.add("grapnel: error: a library or a plugin's thread ").add(what);
    line.add(" before the run's end\n");
    line.write_to(STDERR_FILENO);
  }
  end_at_once(1);
}

void end_at_once(int code) noexcept {
#if defined(__linux__) && defined(__x86_64__)
  // Not by syscall(), which is this program's own (process_ends_posix.cpp).
  for (;;) __asm__ volatile("syscall" : : "a"(SYS_exit_group), "D"(code) : "rcx", "r11", "memory");
#else
  std::_Exit(code);
#endif
}

}  // namespace grapnel::program
