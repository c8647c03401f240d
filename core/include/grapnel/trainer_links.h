// Who runs a module or a data module: the trainers that have it as that of their running or last run.
//
// A trainer points at its module without owning it, and either may go first. So each knows of the
// other: an object that is destroyed is taken out of every trainer that still has it, whichever ran
// it last. A copy of the object belongs to no trainer.
#pragma once

#include <vector>

#include "grapnel/export.h"

namespace grapnel {

class Trainer;

class GRAPNEL_CORE_API TrainerLinks {
 public:
  TrainerLinks() = default;
  TrainerLinks(const TrainerLinks&) noexcept {}
  TrainerLinks& operator=(const TrainerLinks&) noexcept { return *this; }

  // The one that runs it, or ran it last; nullptr: none that is still there.
  Trainer* current() const { return trainers_.empty() ? nullptr : trainers_.back(); }
  void set_current(Trainer& trainer);
  void remove(const Trainer& trainer) noexcept;
  const std::vector<Trainer*>& all() const { return trainers_; }

 private:
  std::vector<Trainer*> trainers_;  // each once, the current one last
};

}  // namespace grapnel
