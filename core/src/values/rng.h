// LibTorch's default random generators: seeding, and putting them back.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "grapnel/state_dict.h"

namespace grapnel {

void seed_generators(uint64_t seed);

// {"cpu": state, "cuda.0": state, ...}: of the generators that exist now.
StateDict generator_states();
// Throws CheckpointError for a state that doesn't fit; a generator that isn't in it stays as it is.
void set_generator_states(const StateDict& states);

// Puts the generators back as they were, whatever runs in between.
class GeneratorScope {
 public:
  GeneratorScope() : states_(generator_states()) {}
  ~GeneratorScope();
  GeneratorScope(const GeneratorScope&) = delete;
  GeneratorScope& operator=(const GeneratorScope&) = delete;

 private:
  StateDict states_;
};

}  // namespace grapnel
