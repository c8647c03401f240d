// What is known of a plugin that ended a process: one small file per plugin id, written by the
// process that it ended, shown by the next start and by `grapnel plugin list`, and removed when a
// run with the plugin ends normally or another version of it is enabled.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include <grapnel/host/discovery.h>

namespace grapnel::host {

struct CrashNote {
  std::string version;  // of the plugin
  std::string what;     // "crashed (SIGSEGV) in on_train_batch_end of its callback 'x', batch 12"
};

// The directory of the notes; a note is the file named for the plugin's id, its first line the
// version, its second what happened.
[[nodiscard]] std::filesystem::path crash_notes_directory(const HostDirectories& directories);

// The same, made if it isn't there, for this user alone; empty when it can't be made.
[[nodiscard]] std::filesystem::path make_crash_notes_directory(const HostDirectories& directories);

// nullopt: none, or one that can't be read.
[[nodiscard]] std::optional<CrashNote> read_crash_note(std::string_view plugin,
                                                       const HostDirectories& directories);
void forget_crash(std::string_view plugin, const HostDirectories& directories) noexcept;

}  // namespace grapnel::host
