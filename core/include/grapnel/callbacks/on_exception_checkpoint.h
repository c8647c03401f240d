// Writes a checkpoint when a training fails, and removes it when a later one ends well.
//
//   OnExceptionCheckpoint("checkpoints")   ->  checkpoints/on_exception.ckpt
//
// After Lightning's class of that name. With it in the list no default ModelCheckpoint is added,
// and a fit without a ckpt_path resumes from the file, or from a newer "last" one.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "grapnel/base/options_table.h"
#include "grapnel/callbacks/checkpoint.h"
#include "grapnel/export.h"

namespace grapnel {

struct OnExceptionCheckpointOptions {
  std::filesystem::path dirpath;
  std::string filename = "on_exception";  // without extension
};

class GRAPNEL_CORE_API OnExceptionCheckpoint : public Checkpoint {
 public:
  // Throws ConfigError when the file's name is empty.
  explicit OnExceptionCheckpoint(OnExceptionCheckpointOptions options);
  explicit OnExceptionCheckpoint(std::filesystem::path dirpath,
                                 std::string filename = OnExceptionCheckpointOptions().filename);

  static const OptionsTable<OnExceptionCheckpointOptions>& options_table();

  // dirpath/filename.ckpt
  std::filesystem::path ckpt_path() const;
  std::vector<std::filesystem::path> last_checkpoints(const Trainer& trainer) const override;
  bool resumes_by_itself() const override { return true; }

  // Removes what a killed process left of the file.
  void setup(StageEvent& event) override;
  // Replaces the file of an earlier failure, but not when the fit fails before it has restored what
  // it resumes from (see Trainer::resumable). Throws IoError when it can't be written.
  void on_exception(ExceptionEvent& event) override;
  void on_run_end(RunEnd& event) override;

 private:
  OnExceptionCheckpointOptions options_;
};

}  // namespace grapnel
