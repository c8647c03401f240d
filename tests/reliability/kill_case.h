// One training that is killed now and then, resumed as its user would, and compared with one that was
// left alone.
#pragma once

#include <cstdint>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "training_process.h"

namespace grapnel::reliability {

using Random = std::mt19937_64;

struct KillOutcome {
  int kills_at_operation = 0;
  int kills_at_time = 0;
  int begun_anew = 0;                      // resumes that found no checkpoint yet
  std::string failure;                     // a process that ended in another way; empty: none
  std::vector<std::string> other_tensors;  // of last.ckpt: not equal byte by byte
  bool same_csv = false;                   // metrics.csv, byte by byte
  bool same_json_lines = false;            // metrics.jsonl
  bool same_points = false;                // scalars of TensorBoard's event files
  int doubled_points = 0;                  // of one tag and step
  std::vector<std::string> damaged;        // checkpoints that don't verify, after any kill
  std::size_t kept = 0;  // 1: the file that the last process resumed from is there, too
  std::vector<std::string> left_over;  // files that only the killed training has
  std::vector<std::string> missing;    // files that only the other one has

  int kills() const { return kills_at_operation + kills_at_time; }
  bool ok() const;
};

// The kinds of training that are drawn from, by number: checkpoints of several kinds, plugins.
int kill_settings();
std::string describe_kill_setting(int setting);

class KillCase {
 public:
  // Trains undisturbed below `directory`, and notes how many file operations it takes.
  KillCase(std::filesystem::path directory, int setting);

  // Up to `most_kills` kills; at least one.
  KillOutcome run(Random& random, int most_kills);
  // One kill, at this operation; none when the training makes fewer.
  KillOutcome run_killed_at(std::int64_t operation);
  std::int64_t operations() const { return operations_; }

  // Puts what the last run() left aside, with what all processes have written.
  void keep_as(const std::string& name) const;

 private:
  // Where a process is killed: at a file operation, or after so many seconds.
  struct Place {
    std::int64_t operation = 0;  // 0: by the time
    double seconds = 0;
  };

  Command command(const std::string& run) const;
  Command resuming_command(KillOutcome& outcome) const;
  Place draw(Random& random) const;
  // Ends the process there, or lets it end. False when it ended by itself.
  bool train_and_kill(const Place& place, KillOutcome& outcome) const;
  // Resumes to the end, and compares.
  void finish(KillOutcome& outcome) const;
  void note_damaged(KillOutcome& outcome) const;
  void compare(KillOutcome& outcome) const;

  std::filesystem::path directory_;
  int setting_;
  double seconds_ = 0;           // of the undisturbed training
  std::int64_t operations_ = 0;  // its file operations
};

}  // namespace grapnel::reliability
