#include "running_note_writer.h"

#include <atomic>
#include <cstdint>
#include <cstring>
#include <string>

#include <grapnel/bridge/running_plugin.h>
#include <grapnel/host/running_note.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

namespace grapnel::program {
namespace {

using Place = std::atomic<const bridge::RunningPlugin*>;
static_assert(sizeof(Place) == sizeof(void*));

char path[4096];  // empty: no note
int file = -1;    // its lock is this process's as long as it is open
Place* place = nullptr;

void give_up() noexcept {
  ::close(file);
  ::unlink(path);
  file = -1;
  path[0] = '\0';
}

// The first page holds the address. It is written, not left out: a full disk is met here.
bool make_note() noexcept {
  constexpr std::size_t size = host::running_note_lines;
  file = ::open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return false;
  static const char zeros[size] = {};
  void* memory = MAP_FAILED;
  if (::flock(file, LOCK_EX | LOCK_NB) == 0 &&
      ::write(file, zeros, size) == static_cast<ssize_t>(size)) {
    memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  }
  if (memory == MAP_FAILED) {
    give_up();
    return false;
  }
  place = static_cast<Place*>(memory);
  return true;
}

Place* add_line(const bridge::RunningPlugin& of) {
  if (path[0] == '\0' || (file < 0 && !make_note())) return nullptr;
  const std::string line = std::to_string(reinterpret_cast<std::uintptr_t>(&of)) + "\t" +
                           of.plugin + "\t" + of.version + "\t" + of.callback + "\n";
  (void)!::write(file, line.data(), line.size());
  return place;
}

}  // namespace

void keep_running_note(const std::filesystem::path& directory) {
  const std::string note = (directory / host::running_note_name()).string();
  if (note.size() >= sizeof path) return;
  std::memcpy(path, note.c_str(), note.size() + 1);
  bridge::keep_running_plugins(&add_line);
}

void remove_running_note() noexcept {
  if (file >= 0) ::unlink(path);
}

}  // namespace grapnel::program
