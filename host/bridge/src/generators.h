// The random numbers of an instance: operators that draw some use its generators, not the training's.
// So a plugin that draws changes no number of the training, and is itself repeatable: its generators
// begin with a seed made of the training's and of whose they are.
//
// While an operator runs, LibTorch's default generators are the instance's: no lock can be held over it,
// because the operator takes the same one. Nothing else in this process may draw meanwhile; Grapnel draws
// on the training thread alone.
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace grapnel::bridge {

// The states of one instance's generators by device, "cpu", "cuda:0"; made when they are needed.
struct GeneratorStates {
  std::string whose;  // "plugin/callback"
  std::map<std::string, at::Tensor> states;
};

// Why a generator of the device can't take the state; empty: it can, or the device isn't here.
std::string generator_state_fault(const std::string& device, const at::Tensor& state);

// While it lives, LibTorch's default generators are in the instance's states.
class OwnGenerators {
 public:
  explicit OwnGenerators(GeneratorStates& own);
  ~OwnGenerators();
  OwnGenerators(const OwnGenerators&) = delete;
  OwnGenerators& operator=(const OwnGenerators&) = delete;

 private:
  void put_back() noexcept;

  struct Swapped {
    at::Generator generator;
    std::string device;
    at::Tensor training;  // the state to put back
  };
  GeneratorStates& own_;
  std::vector<Swapped> swapped_;
};

}  // namespace grapnel::bridge
