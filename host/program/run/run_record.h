// What a fit records of itself in its run directory: run.json, once the training has begun, and the
// places of its checkpoints. A callback of the program's own, which --explain leaves out.
//
// A fit that is refused (another model, bad data, a damaged checkpoint) has not begun: the run.json
// of the run that was to be resumed stays.
#pragma once

#include <filesystem>

#include <grapnel/base/json.h>
#include <grapnel/callback.h>

#include "training_claim.h"

namespace grapnel::program {

class RunRecord final : public Callback {
 public:
  // `config`: what run.json is to hold. `claim` must outlive this.
  RunRecord(TrainingClaim& claim, ConfigValue config);

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

  TrainingClaim& claim_;
  ConfigValue config_;
  bool has_begun_ = false;
  std::filesystem::path newest_checkpoint_;
};

}  // namespace grapnel::program
