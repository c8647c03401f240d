// The trainers of a module or a data module: those that run it, or ran it last.
//
// A trainer points at its module without owning it, and either may be destroyed first. So each
// knows the other: an object that is destroyed removes itself from every trainer that still points
// at it. A copy of the object has no trainer.
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

  // The trainer that runs it or ran it last; nullptr: none, or it was destroyed.
  Trainer* current() const { return trainers_.empty() ? nullptr : trainers_.back(); }
  void set_current(Trainer& trainer);
  void remove(const Trainer& trainer) noexcept;
  const std::vector<Trainer*>& all() const { return trainers_; }

 private:
  std::vector<Trainer*> trainers_;  // each once, the current one last
};

}  // namespace grapnel
