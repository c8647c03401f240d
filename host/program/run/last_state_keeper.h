// Ensures that a run can always be resumed from its last state, whatever checkpoints run.json asks
// for.
#pragma once

#include <cstdint>
#include <vector>

#include <grapnel/callbacks/checkpoint.h>

namespace grapnel::program {

// Adds to the callbacks of a training what is missing:
//
//   no checkpoints at all                      the trainer's default, which also saves on exceptions
//   none that writes the last whole state      a ModelCheckpoint that keeps it, after every epoch
//   one that does, but not on exceptions       a LastStateKeeper
void keep_last_state(std::vector<CallbackHandle>& callbacks);

// When a training ends, in order, by a signal or by an error, and its state was not saved at that
// step, writes it to "checkpoints/last.ckpt" in the trainer's log directory.
class LastStateKeeper final : public Checkpoint {
 public:
  void setup(StageEvent& event) override;
  void on_checkpoint_written(CheckpointWritten& event) override;
  // Both throw IoError.
  void on_train_end(Event& event) override;
  void on_exception(ExceptionEvent& event) override;

 private:
  void save_if_due(Trainer& trainer) const;

  std::int64_t saved_step_ = 0;  // of the last checkpoint of the whole state; nothing to save at 0
};

}  // namespace grapnel::program
