// Keeps the note of host/running_note.h, for plugins that end the process so that no handler sees it.
#pragma once

#include <filesystem>

namespace grapnel::program {

// From the first plugin on, in the directory of crash notes.
void keep_running_note(const std::filesystem::path& directory);
// Async-signal-safe.
void remove_running_note() noexcept;

}  // namespace grapnel::program
