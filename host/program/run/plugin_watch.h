// What ends the process while a plugin's code runs says whose code it was, with a code that isn't 0:
//
//   grapnel: error: plugin 'x' 0.1.0 crashed (SIGSEGV) in on_train_batch_end of its callback 'x',
//   batch 12; to run without it: grapnel fit --config run.json --no-plugin x
//
// A fatal signal is told and then takes its default action; abort(), a Rust panic and pthread_exit()
// end in one; exit(), exec() and their like end the process with code 1. Threads that a
// plugin made are its code too (plugin_threads.h). A hook that hangs is named a second after the first
// Ctrl-C, or after it began. What happened is noted for the next start (host/crash_note.h).
//
// The functions that end a process are the program's own, which come before the C library's in every
// library it loads, those of RTLD_LOCAL too (process_ends_posix.cpp). A plugin gets around them with an
// instruction of its own or a C library's function that it looks up; and nobody hears a SIGKILL. A
// parent process that waits for a farewell would, but then signals, the terminal and the process id
// of `grapnel` would belong to another process than the training, and whatever starts `grapnel` (a
// shell, a batch system, a supervisor) has to do with that one. Such an end is not told when it comes,
// therefore, and its code may be 0; the next start and `plugin list` say whose code ran
// (running_note_writer.h).
//
// On Linux. Other POSIX systems have no functions of the program's own and no owners of threads;
// elsewhere (Windows) nothing is watched: a crash there ends the process with the system's code and
// without a line.
#pragma once

#include <string>
#include <vector>

namespace grapnel::program {

// Before any plugin is loaded, once. arguments: the program's, for the command that it shows.
void watch_plugins(const std::vector<std::string>& arguments);

// In the handler of the first SIGINT: names a plugin that runs for more than a second, from then on
// until tell_of_no_hangs(). Uses the process's alarm().
void tell_of_hangs() noexcept;
void tell_of_no_hangs() noexcept;

// Ends the process as a return from main() would, but for static destructors and functions given
// to atexit(): those of plugins may crash or hang. The standard streams are flushed.
[[noreturn]] void end_process(int code) noexcept;

}  // namespace grapnel::program
