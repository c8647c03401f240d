// The host's platform layer, in addition to <grapnel/base/platform.h>: process state that a plugin
// must not change, what a probed plugin may take and leave behind, and the meaning of a file's group.
//
// Rules: only files NAME_posix.cpp and NAME_windows.cpp include headers of the operating system
// (os_headers_test). On systems without a feature its functions return nothing and do nothing.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace grapnel::host {

// All variables as one text: "A=1\0B=2\0".
[[nodiscard]] std::string environment_text();
void set_environment_variable(const std::string& name, const std::string& value);
void unset_environment_variable(const std::string& name);

// Permission bits that new files don't get; 0 on systems where it is not a property of the process.
[[nodiscard]] unsigned read_umask();
void set_umask(unsigned mask);

// The locale of the calling thread, for use_thread_locale(); nullptr where threads have none.
[[nodiscard]] void* thread_locale() noexcept;
void use_thread_locale(void* locale) noexcept;

// The signals that the calling thread blocks, ascending.
[[nodiscard]] std::vector<int> blocked_signals();
void block_exactly(const std::vector<int>& signals);

// Soft limits of the process that decide about a training's files, memory, threads and time, by their
// names: "the limit of open files".
[[nodiscard]] std::map<std::string, std::uint64_t> read_limits();
void set_limit(const std::string& name, std::uint64_t limit);

// What the numbers of the standard streams stand for, kept open.
class StandardStreams {
 public:
  StandardStreams();
  ~StandardStreams();
  StandardStreams(const StandardStreams&) = delete;
  StandardStreams& operator=(const StandardStreams&) = delete;

  // Those that stand for something else now, which is undone: "standard error".
  std::vector<std::string> restore();

 private:
  struct Kept;
  std::unique_ptr<Kept> kept_;
};

// A snapshot of the process's signal handlers.
class SignalHandlers {
 public:
  enum class Which {
    all,
    of_a_run,  // that end, steer or stop a run: a fifth of the time
  };
  // The current handlers.
  explicit SignalHandlers(Which which);
  ~SignalHandlers();
  SignalHandlers(const SignalHandlers&) = delete;
  SignalHandlers& operator=(const SignalHandlers&) = delete;

  // The signals, ascending, with another handler in the other snapshot, of those that both have.
  [[nodiscard]] std::vector<int> differing(const SignalHandlers& other) const;
  // Restores the signal's handler from this snapshot.
  void install(int signal) const;

 private:
  struct Table;
  std::unique_ptr<Table> table_;
};

// The open descriptors of the process and what they stand for, "/var/log/x", "pipe:[42]"; empty where
// the system doesn't tell.
[[nodiscard]] std::map<int, std::string> open_descriptors();

// Waits for child processes until one ends with the code; false when there is none, or after so long.
// Reaps those that end.
[[nodiscard]] bool wait_for_child(int exit_code, double seconds) noexcept;

// The addresses of a loaded library; both ends the same where the system doesn't tell.
struct AddressRange {
  const void* begin = nullptr;
  const void* end = nullptr;
};
// Of the library that the address lies in.
[[nodiscard]] AddressRange mapped_range(const void* inside) noexcept;

// For a process that tries foreign code out: from now on it gets at most this much more memory
// (bytes of address space), a crash leaves no core file, and it ends with the process that started it.
void confine_this_process(std::uint64_t more_memory) noexcept;

// While one lives, what processes below this one leave running behind them becomes a child of this
// process; at the end of the last one those are ended. A child process may so detach itself, but not
// stay. Children that this process starts by itself meanwhile have to be waited for by then.
class OrphanTrap {
 public:
  OrphanTrap();
  ~OrphanTrap();
  OrphanTrap(const OrphanTrap&) = delete;
  OrphanTrap& operator=(const OrphanTrap&) = delete;
};

// Whether sync_file_system() waits for everything.
[[nodiscard]] bool can_sync_file_system() noexcept;
// Waits until all that was written to the file system of this directory is on the disk, and renames
// in the directory too. IoError.
void sync_file_system(const std::filesystem::path& directory);

// True when write permission for a file's group includes only its owner: it is this user's private
// group (same number and name as the user, no other members), and no access control list adds
// others. Many distributions give every user such a group and a umask of 002. Always false for the
// administrator, and on systems that can't tell.
[[nodiscard]] bool is_own_group_only(const std::filesystem::path& path);

}  // namespace grapnel::host
