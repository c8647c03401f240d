// LibTorch's default random generators: seeding, saving and restoring them.
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/MT19937RNGEngine.h>
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "grapnel/state_dict.h"

namespace grapnel {

void seed_generators(uint64_t seed);

// {"cpu": state, "cuda.0": state, ...} of the existing generators.
StateDict generator_states();
// Throws CheckpointError for a state that doesn't fit. Generators without a state are unchanged.
void set_generator_states(const StateDict& states);

// The generators at a moment, for every training batch: what take() copies is small, and only states()
// makes tensors of it.
class GeneratorMark {
 public:
  void take();
  StateDict states() const;  // those of generator_states() at take()

 private:
  struct OfDevice {
    at::Generator generator;
    uint64_t seed = 0;
    uint64_t offset = 0;
  };
  at::mt19937 engine_;  // the CPU's
  std::optional<float> next_float_;
  std::optional<double> next_double_;
  std::optional<std::vector<OfDevice>> devices_;
};

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
