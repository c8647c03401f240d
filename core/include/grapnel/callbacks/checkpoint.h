// The base of every callback that writes checkpoints.
//
// The trainer treats those specially: they come last in the list, so that a checkpoint holds what
// all other callbacks did; their on_train_epoch_end comes after the module's; and with one of them
// in the list no default ModelCheckpoint is added.
#pragma once

#include <filesystem>
#include <vector>

#include "grapnel/callback.h"
#include "grapnel/export.h"

namespace grapnel {

class GRAPNEL_CORE_API Checkpoint : public Callback {
 public:
  ~Checkpoint() override;

  bool monitors() const override { return true; }
  Place place() const override { return Place::checkpoint; }

  // The file that `ckpt_path = "best"` means; empty while there is none.
  virtual std::filesystem::path best_checkpoint() const { return {}; }

  // Files and links that `ckpt_path = "last"` may mean; the trainer takes the one that is furthest in
  // the training and can be used (checkpoint_order.h). A link may lead nowhere.
  virtual std::vector<std::filesystem::path> last_checkpoints(const Trainer&) const { return {}; }

  // A resumed fit has nothing left to train, so that neither on_train_start nor on_train_end comes.
  // What the run before it had no time for is done here, before callbacks change the model in
  // on_fit_end.
  virtual void on_nothing_left(Trainer&) {}

  // A fit without a ckpt_path resumes from the last file.
  virtual bool resumes_by_itself() const { return false; }
};

}  // namespace grapnel
