#include <grapnel/host/crash_note.h>

#include <system_error>

#include <grapnel/base/error.h>
#include <grapnel/base/files.h>
#include <grapnel/base/log.h>
#include <grapnel/base/text.h>

#include "private_directory.h"

namespace grapnel::host {
namespace {

constexpr std::size_t max_note_bytes = 16384;

}  // namespace

std::filesystem::path crash_notes_directory(const HostDirectories& directories) {
  return directories.cache / "crashes";
}

std::filesystem::path make_crash_notes_directory(const HostDirectories& directories) {
  try {
    const std::filesystem::path notes = crash_notes_directory(directories);
    make_private_directory(notes);
    return notes;
  } catch (const IoError& error) {
    log_debug("crashes of plugins are not noted: {}", error.what());
    return {};
  }
}

std::optional<CrashNote> read_crash_note(std::string_view plugin,
                                         const HostDirectories& directories) {
  const std::filesystem::path file = crash_notes_directory(directories) / plugin;
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error)) return std::nullopt;
  try {
    const std::string text = grapnel::read_file(file, max_note_bytes);
    const std::size_t line = text.find('\n');
    if (line == std::string::npos) return std::nullopt;
    CrashNote note{text.substr(0, line), text.substr(line + 1)};
    if (note.what.ends_with('\n')) note.what.pop_back();
    note.version = printable(note.version);
    note.what = printable(note.what);
    return note;
  } catch (const Error&) {
    return std::nullopt;
  }
}

void forget_crash(std::string_view plugin, const HostDirectories& directories) noexcept {
  std::error_code error;
  std::filesystem::remove(crash_notes_directory(directories) / plugin, error);
}

}  // namespace grapnel::host
