// The temporaries of files that are replaced in one step, and what killed writers have left of them.
//
// Their names are those that the program knows too, and cleans up where it does so:
// ".best.safetensors.tmp-<process>-<count>-<random>". While one is written it is locked (flock), for
// those who can't tell by the process's id whether it is alive: in another container, or on another
// machine.
#pragma once

#include <cerrno>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <random>
#include <string>
#include <system_error>
#include <vector>

#if defined(_WIN32)
#include <process.h>
#else
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>
#endif

namespace safetensors {

inline std::int64_t process_id() {
#if defined(_WIN32)
  return _getpid();
#else
  return getpid();
#endif
}

inline std::filesystem::path temporary_of(const std::filesystem::path& path,
                                          const std::string& suffix) {
  std::filesystem::path temporary = path.parent_path() / ".";
  temporary += path.filename();
  temporary += ".tmp-" + suffix;
  return temporary;
}

inline std::filesystem::path new_temporary(const std::filesystem::path& path) {
  return temporary_of(
      path, std::to_string(process_id()) + "-0-" + std::to_string(std::random_device{}()));
}

/// Whether a file is one of a killed process; process: its id in the file's name.
inline bool is_stale(const std::filesystem::path& temporary, std::int64_t process) {
#if defined(_WIN32)
  static_cast<void>(temporary);  // one that is open can't be removed
  return process > 0;
#else
  const auto id = static_cast<pid_t>(process);
  if (process < 1 || id != process) return false;
  // A dead process's id may be this one's: in a container it often is.
  if (id != getpid() && (kill(id, 0) == 0 || errno != ESRCH)) return false;
  const int file = open(temporary.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (file < 0) return false;
  const bool is_locked = flock(file, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  close(file);
  return !is_locked;
#endif
}

/// Removes what killed writers of this path have left. What can't be removed stays.
inline void remove_stale_temporaries(const std::filesystem::path& path) {
  const std::string begin = temporary_of(path.filename(), "").string();
  std::error_code failure;
  std::vector<std::filesystem::path> stale;
  std::filesystem::directory_iterator entry(path.parent_path(), failure);
  for (; !failure && entry != std::filesystem::directory_iterator(); entry.increment(failure)) {
    const std::string name = entry->path().filename().string();
    if (name.compare(0, begin.size(), begin) != 0) continue;
    std::int64_t process = 0;
    const char* const end = name.data() + name.size();
    const auto number = std::from_chars(name.data() + begin.size(), end, process);
    if (number.ec != std::errc() || number.ptr == end || *number.ptr != '-') continue;
    if (is_stale(entry->path(), process)) stale.push_back(entry->path());
  }
  for (const auto& temporary : stale) std::filesystem::remove(temporary, failure);
}

}  // namespace safetensors
