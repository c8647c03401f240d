// Child processes: spawned (never forked, which is unsafe once libraries have threads), with a
// deadline, their output captured; and replacing this process by another program.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <grapnel/base/export.h>

namespace grapnel {

[[nodiscard]] GRAPNEL_BASE_API std::int64_t process_id() noexcept;

// Whether a process of this id runs on this machine, of any user. Ids are used again.
[[nodiscard]] GRAPNEL_BASE_API bool process_exists(std::int64_t id) noexcept;

// The calling thread gives way to all others from now on, for its life: for work in the background.
// No effect where the system has no such thing.
GRAPNEL_BASE_API void lower_thread_priority() noexcept;

// "SIGSEGV" for 11; "signal 77" for one without a name.
[[nodiscard]] GRAPNEL_BASE_API std::string signal_name(int signal_number);

struct ProcessOptions {
  std::filesystem::path program{};       // from this process's directory; not searched in PATH
  std::vector<std::string> arguments{};  // without the program's name
  // Added to this process's environment or replacing its entries.
  std::vector<std::pair<std::string, std::string>> environment{};
  std::filesystem::path working_directory{};  // empty: this process's
  double deadline_seconds = 30.0;             // then the child and its descendants are killed
  // Kept of each stream; the middle of longer output is dropped, because errors come last.
  std::size_t max_output_bytes = std::size_t{1} << 20;
};

struct ProcessResult {
  enum class End : std::uint8_t { exited, signalled, timed_out };
  End end = End::exited;
  int exit_code = -1;     // for exited
  int signal_number = 0;  // for signalled; on Windows the exception's code
  double seconds = 0.0;   // of wall time
  std::string output;     // standard output
  std::string error;      // standard error
  bool output_cut = false;
  bool error_cut = false;

  [[nodiscard]] bool ok() const noexcept { return end == End::exited && exit_code == 0; }
  // "exited with 3", "was ended by SIGSEGV (11)", "did not finish within 10 s and was killed"
  [[nodiscard]] GRAPNEL_BASE_API std::string describe() const;
};

// Runs a program to its end, with empty standard input, default signal handlers, and no open file
// of this process. A crash or a timeout is a result; IoError only when it can't be started, also
// because this process ignores SIGCHLD, or can't be waited for. When this throws, the child and its
// descendants have been killed.
[[nodiscard]] GRAPNEL_BASE_API ProcessResult run_process(const ProcessOptions& options);

// Replaces this process by another program that keeps its environment, files and terminal. IoError
// when that fails. On Windows, which cannot do that, runs it as a child and exits with its code.
[[noreturn]] GRAPNEL_BASE_API void replace_process(const std::filesystem::path& program,
                                                   const std::vector<std::string>& arguments);

}  // namespace grapnel
