// What a ModelCheckpoint has saved: the best k with their scores, the newest file, "last", the file
// of an interruption, and files that are to be removed. This is the part of its state that names
// files.
//
// State records are complete before a file is written, since the file contains them: a run that is
// resumed from it knows every file that the former one left, also when that was killed between
// writing a file and removing the one it replaced.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "grapnel/callbacks/monitor.h"
#include "grapnel/state_dict.h"

namespace grapnel {

struct CheckpointRecords {
  // Files and their scores, in the order in which they were saved.
  using Scores = std::vector<std::pair<std::string, double>>;

  explicit CheckpointRecords(MonitorMode which) : mode(which), kth_value(worst_score(which)) {}

  MonitorMode mode;

  // ---- Lightning's
  std::string best_model_path;
  std::optional<double> best_model_score;
  std::optional<double> current_score;
  Scores best_k_models;
  std::string kth_best_model_path;
  double kth_value;  // infinite while there are fewer than k
  std::string last_model_path;

  // ---- Our own
  std::string newest;                  // the file written last; empty: none
  int64_t newest_step = 0;             // its step; nothing is to be saved before the first step
  int64_t last_step = -1;              // the step of what last_model_path holds; -1: nothing
  std::string interruption;            // written because a run failed, until the next file
  std::vector<std::string> obsolete;   // to be removed once what replaces them is complete
  std::optional<double> loaded_score;  // current_score of the loaded state, for the next file

  // Whether a score is among the best k; k: -1 for all.
  bool belongs_to_best(double score, int64_t k) const;
  // Takes files out until there is room for one more among the best k; returns their paths.
  std::vector<std::string> make_room(int64_t k);
  // Adds a file to the best, after make_room.
  void add(const std::string& path, double score, int64_t k);
  // "last" is at this path now.
  void move_last(const std::string& path, int64_t step);
  // Has the file to be removed; an empty path is none.
  void drop(std::string path);

  // Whether one of the records, other than what is to be removed, names the file.
  bool keeps(std::string_view path) const;
  // Whether any of them does.
  bool names(std::string_view path) const;
  // Follows a directory that was moved or copied: paths below `from` become paths below `to`, and
  // those of the best that are not there are forgotten.
  void follow(const std::filesystem::path& from, const std::filesystem::path& to);

  // Into a ModelCheckpoint's state, and back.
  void save(StateDict& state) const;
  void load(const StateDict& state);

 private:
  void find_kth();
};

}  // namespace grapnel
