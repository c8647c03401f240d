#include "grapnel/trainer_links.h"

namespace grapnel {

void TrainerLinks::set_current(Trainer& trainer) {
  remove(trainer);
  trainers_.push_back(&trainer);
}

void TrainerLinks::remove(const Trainer& trainer) noexcept {
  std::erase(trainers_, &trainer);
}

}  // namespace grapnel
