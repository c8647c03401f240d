// Who is to be named for what happens to the process, and the line and the note that name it: the
// part of plugin_watch.h that runs in signal handlers and in the middle of foreign code. Takes no locks
// and no memory, but for start_blaming().
#pragma once

#include <string>

#include <grapnel/bridge/running_plugin.h>

#include "signal_line.h"

namespace grapnel::program {

struct Culprit {
  const char* plugin = nullptr;  // nullptr: nobody is known
  const char* version = "";
  const bridge::RunningPlugin* running = nullptr;  // the host's call; nullptr: none
  bool on_own_thread = false;                      // that the plugin made
};

// command: what runs without a plugin whose id follows, "grapnel fit --no-plugin ".
void start_blaming(const std::string& command);
// From here on the process ends as it should. Removes its note.
void stop_blaming() noexcept;
// Whether it is this process that is watched: its children end as they like.
bool is_blaming() noexcept;

// Of the calling thread: the plugin whose function runs, or that made the thread, or in whose library
// the address lies.
Culprit find_culprit(const void* address) noexcept;

// " in on_train_batch_end of its callback 'x', batch 12", " on a thread of its own".
SignalLine& add_place(SignalLine& line, const Culprit& culprit) noexcept;
// what: "crashed (SIGSEGV)". Writes the line and notes it.
void blame(const Culprit& culprit, const char* what) noexcept;

// Unless it is told already. address: of the code that crashed, if known.
void tell_of_crash(int signal, const void* address) noexcept;
// Something other than end_process() ends the process: whoever it is, the program's work isn't done. Ends
// it with code 1, unless nothing is watched. what: "ended the process (exit(0))"; caller: its address.
void refuse_end(const char* what, const void* caller) noexcept;

// Without functions that plugins can replace or wait in.
[[noreturn]] void end_at_once(int code) noexcept;

}  // namespace grapnel::program
