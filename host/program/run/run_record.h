// What a fit records of itself in its run directory: run.json, once the training has begun, and the
// places of its checkpoints. A callback of the program's own, which --explain leaves out.
//
// A new training in the directory of another one sets aside what that left there: its checkpoints
// would be taken for this one's, because they may be further.
//
// A fit that is refused (another model, bad data, a damaged checkpoint) has not begun: the run.json
// of the run that was to be resumed stays.
#pragma once

#include <cstdint>
#include <filesystem>

#include <grapnel/base/json.h>
#include <grapnel/callback.h>

#include "training_claim.h"

namespace grapnel::program {

enum class TrainingOrigin : std::uint8_t {
  anew,       // or from a checkpoint of another run
  continued,  // from one of this run
};

class RunRecord final : public Callback {
 public:
  // `config`: what run.json is to hold. `claim` must outlive this.
  RunRecord(TrainingClaim& claim, ConfigValue config, TrainingOrigin origin);

  // The training has begun; writes run.json. IoError.
  void begin();
  bool has_begun() const { return has_begun_; }
  // The checkpoint that this run wrote last; empty: none.
  const std::filesystem::path& newest_checkpoint() const { return newest_checkpoint_; }

  void setup(StageEvent& event) override;
  void on_train_start(Event& event) override;
  void on_checkpoint_written(CheckpointWritten& event) override;
  void on_exception(ExceptionEvent& event) override;

 private:
  void write_config() const;
  void set_former_aside() const;

  TrainingClaim& claim_;
  ConfigValue config_;
  TrainingOrigin origin_;
  bool has_begun_ = false;
  std::filesystem::path newest_checkpoint_;
};

}  // namespace grapnel::program
