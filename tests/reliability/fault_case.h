// One training that meets a fault of the file system, what it leaves, and whether it can be resumed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <grapnel/base/process.h>

namespace grapnel::reliability {

struct Fault {
  static constexpr int kShort = 0;  // reads and writes of one byte
  static constexpr int kSlow = -1;  // every call takes a twentieth of a second

  std::string call;        // "write": fault_shim_posix.c has the names
  int error = 0;           // errno, or one of these two
  bool is_sticky = false;  // every call from `at` on
  std::int64_t at = 0;     // the call that fails, from 1

  // Must the training not notice it?
  bool is_invisible() const;
  std::string what() const;  // "EIO", "EIO for ever", "short", "slow"
};

struct FaultOutcome {
  int exit_code = 0;
  int rescued = 0;                    // states that were written to another place
  std::vector<std::string> mistakes;  // empty: all is as it should be
};

// The training to disturb: a run of two epochs that is resumed for two more.
class FaultCase {
 public:
  // Trains it undisturbed. saving: of its checkpoints, "asynchronous" or "synchronous".
  FaultCase(std::filesystem::path directory, std::string saving);

  // Calls of a kind on files of the run's directory, in an undisturbed training.
  std::int64_t calls(const std::string& call) const;
  FaultOutcome run(const Fault& fault) const;

 private:
  // Directories are made by a new run only.
  static bool begins_anew(const std::string& call) { return call == "mkdir"; }
  void prepare(const std::string& call) const;
  ProcessResult train(const std::vector<std::pair<std::string, std::string>>& variables) const;
  std::vector<std::string> arguments(const char* epochs) const;
  void check_after_fault(const Fault& fault, const ProcessResult& result,
                         FaultOutcome& outcome) const;
  void check_error(const Fault& fault, const ProcessResult& result, FaultOutcome& outcome) const;
  // That what was trained is in one of the files, here or saved elsewhere.
  void check_nothing_lost(FaultOutcome& outcome) const;
  void check_after_resume(FaultOutcome& outcome) const;

  std::filesystem::path directory_;
  std::string saving_;
};

}  // namespace grapnel::reliability
