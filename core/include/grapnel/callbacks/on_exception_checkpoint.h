// Writes a checkpoint when a training fails, and removes it when a later one ends well.
//
//   OnExceptionCheckpoint("checkpoints")   ->  checkpoints/on_exception.ckpt
//
// After Lightning's class of that name. With it in the list no default ModelCheckpoint is added,
// and a fit without a ckpt_path goes on from the file, or from a newer "last" one.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "grapnel/base/parameters.h"
#include "grapnel/callbacks/checkpoint.h"
#include "grapnel/export.h"

namespace grapnel {

class GRAPNEL_CORE_API OnExceptionCheckpoint : public Checkpoint {
 public:
  // filename: without extension. Throws ConfigError when it is empty.
  explicit OnExceptionCheckpoint(std::filesystem::path dirpath,
                                 std::string filename = "on_exception");

  static const ParameterTable& parameters();
  static std::shared_ptr<OnExceptionCheckpoint> from(const Parameters& parameters);

  // dirpath/filename.ckpt
  std::filesystem::path ckpt_path() const;
  std::vector<std::filesystem::path> last_checkpoints(const Trainer& trainer) const override;
  bool resumes_by_itself() const override { return true; }

  // Replaces the file of an earlier failure, but not when the fit fails before it has restored what
  // it resumes from (see Trainer::resumable). Throws IoError when it can't be written.
  void on_exception(ExceptionEvent& event) override;
  void on_run_end(RunEnd& event) override;

 private:
  std::filesystem::path dirpath_;
  std::string filename_;
};

}  // namespace grapnel
