#include <grapnel/host/running_note.h>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>
#include <system_error>

#include <grapnel/base/error.h>
#include <grapnel/base/files.h>
#include <grapnel/base/log.h>
#include <grapnel/base/platform.h>
#include <grapnel/base/process.h>
#include <grapnel/base/text.h>
#include <grapnel/host/crash_note.h>

namespace grapnel::host {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = ".running-";
constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 20;

struct Suspect {
  std::string plugin;
  std::string version;
  std::string callback;  // empty: its library was loaded
};

std::int64_t process_of(std::string_view name) {
  std::int64_t id = 0;
  name.remove_prefix(kPrefix.size());
  std::from_chars(name.data(), name.data() + name.size(), id);
  return id;
}

// The next field of a line.
std::string_view take_field(std::string_view& line) {
  const std::string_view field = line.substr(0, line.find('\t'));
  line.remove_prefix(std::min(field.size() + 1, line.size()));
  return field;
}

// What ran last; nullopt: no plugin.
std::optional<Suspect> suspect_of(std::string_view note) {
  std::uintptr_t address = 0;
  if (note.size() <= running_note_lines) return std::nullopt;
  std::memcpy(&address, note.data(), sizeof address);
  if (address == 0) return std::nullopt;
  note.remove_prefix(running_note_lines);
  std::optional<Suspect> suspect;
  while (!note.empty()) {
    std::string_view line = note.substr(0, note.find('\n'));
    note.remove_prefix(std::min(line.size() + 1, note.size()));
    if (take_field(line) != std::to_string(address)) continue;
    suspect.emplace();
    suspect->plugin = take_field(line);
    suspect->version = take_field(line);
    suspect->callback = line;
  }
  return suspect;
}

// A process of a container may have had the number of this one. Writable, since a lock on NFS asks for
// that.
bool has_ended(const fs::path& note) {
  const std::int64_t process = process_of(note.filename().string());
  return (process == process_id() || !process_exists(process)) &&
         File::open(note, OpenMode::read_write, Links::refuse).try_lock();
}

void read_running_note(const fs::path& note, const fs::path& directory) {
  if (!has_ended(note)) return;
  const std::optional<Suspect> suspect = suspect_of(grapnel::read_file(note, kMostBytes));
  std::error_code error;
  if (!fs::remove(note, error) || !suspect) return;  // another process reads it, too
  if (!is_safe_relative(suspect->plugin) || suspect->plugin.starts_with('.')) return;
  const std::string place = suspect->callback.empty()
                                ? std::string("being loaded")
                                : fmt::format("in its callback '{}'", suspect->callback);
  write_file(
      directory / suspect->plugin,
      fmt::format("{}\nwas {} when the process ended without a word (killed from outside, or "
                  "by the plugin itself)\n",
                  suspect->version, place),
      Durability::fast);
}

}  // namespace

std::string running_note_name() {
  return fmt::format("{}{}", kPrefix, process_id());
}

void read_running_notes(const HostDirectories& directories) noexcept {
  try {
    const fs::path directory = crash_notes_directory(directories);
    std::error_code none;
    for (fs::directory_iterator it(directory, none), end; !none && it != end; it.increment(none)) {
      const fs::path note = it->path();
      if (!note.filename().string().starts_with(kPrefix)) continue;
      try {
        read_running_note(note, directory);
      } catch (const Error& error) {
        log_debug("{}", error.what());
      }
    }
  } catch (const std::exception& error) {
    log_debug("the notes of running processes can't be read: {}", error.what());
  }
}

}  // namespace grapnel::host
