// The right to train in a run directory. One process at a time has it, by a lock on the file ".lock"
// there, which the end of the process releases however it comes; commands that only read need none.
//
// A directory that was made for a run which then didn't begin is removed again.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <grapnel/base/platform.h>

namespace grapnel::program {

class TrainingClaim {
 public:
  // Makes the directory if needed. IoError naming the process that trains in it, when there is one;
  // a warning where the file system has no locks.
  explicit TrainingClaim(std::filesystem::path directory);
  // Claims runs/NAME-N for the smallest free N; two runs never get the same one. IoError.
  static TrainingClaim of_new_run(const std::string& name);
  ~TrainingClaim();
  TrainingClaim(TrainingClaim&& other) noexcept;
  TrainingClaim& operator=(TrainingClaim&&) = delete;

  const std::filesystem::path& directory() const { return directory_; }
  // This process made the directory.
  bool is_new() const { return !made_.empty(); }
  // False where the file system has no locks.
  bool is_exclusive() const { return lock_.has_value(); }
  // Claims a directory of checkpoints outside of the run directory too. Several runs may share one,
  // which is seldom meant: a warning names the process that writes there now. Makes it if needed.
  // IoError.
  void claim_checkpoints(const std::filesystem::path& directory);
  // The training has begun: the directory stays.
  void keep() { kept_ = true; }
  bool stays() const { return kept_ || !is_new(); }

 private:
  TrainingClaim(std::filesystem::path directory, std::filesystem::path made);
  void lock();
  // Locks the file in the directory and writes into it who has it. nullopt when another process has it,
  // whose name is then in `holder`; and where the file system has no locks.
  static std::optional<FileLock> try_lock(const std::filesystem::path& directory,
                                          std::string& holder);

  std::filesystem::path directory_;
  std::filesystem::path made_;  // the topmost directory that was made for it; empty: none
  std::optional<FileLock> lock_;
  std::vector<FileLock> checkpoint_locks_;
  bool kept_ = false;
};

}  // namespace grapnel::program
