// LibTorch's default random generators: seeding, saving and restoring them.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "grapnel/state_dict.h"

namespace grapnel {

void seed_generators(uint64_t seed);

// {"cpu": state, "cuda.0": state, ...} of the existing generators.
StateDict generator_states();
// Throws CheckpointError for a state that doesn't fit. Generators without a state are unchanged.
void set_generator_states(const StateDict& states);

// Restores the generators at the end of a scope, also after an exception.
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
