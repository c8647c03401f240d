// The base of callbacks that write checkpoints: they come last in the order, after everybody's state is
// up to date, and answer where the best and the last file are.
#pragma once

#include <filesystem>
#include <vector>

#include "grapnel/callback.h"

namespace grapnel {

class GRAPNEL_CORE_API Checkpoint : public Callback {
 public:
  Place place() const override { return Place::checkpoint; }
  bool monitors() const override { return true; }

  // The file of Trainer's ckpt_path = "best"; empty while there is none.
  virtual std::filesystem::path best_checkpoint() const { return {}; }
  // Candidates for ckpt_path = "last", of which the Trainer takes the newest that exists.
  virtual std::vector<std::filesystem::path> last_checkpoints(const Trainer&) const { return {}; }
  // A fit without a ckpt_path goes on from the last file by itself (OnExceptionCheckpoint).
  virtual bool resumes_by_itself() const { return false; }
};

}  // namespace grapnel
