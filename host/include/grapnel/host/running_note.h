// What is known of a process that ended without a word: by SIGKILL, or by a system call that a plugin
// made by itself. While it runs it keeps a note of which plugin's code it is in; the next process that
// looks finds the note without its process and makes a crash note (crash_note.h) of it.
//
// A file of the directory of crash notes: in its first bytes the address of what runs (nullptr: no
// plugin), and from running_note_lines on a line for each, "ADDRESS\tPLUGIN\tVERSION\tCALLBACK\n", of
// which the last with an address counts. Its process holds the lock of it.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

#include <grapnel/host/discovery.h>

namespace grapnel::host {

inline constexpr std::size_t running_note_lines = 4096;

// Of this process: a name that no plugin has.
[[nodiscard]] std::string running_note_name();

// Turns the notes of processes that have ended into crash notes, and removes them.
void read_running_notes(const HostDirectories& directories) noexcept;

}  // namespace grapnel::host
