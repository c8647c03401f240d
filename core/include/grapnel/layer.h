// One part of a model, as summaries list it.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace grapnel {

struct Layer {
  std::string name;  // "encoder.0": its place in the model, parts joined by dots
  std::string type;  // "Linear"
  std::vector<at::Tensor> parameters = {};  // its own and those of the parts below it, each once
  bool training = true;                     // its mode
  const void* identity = nullptr;  // what LayerObserver reports; nullptr: it can't be observed
};

}  // namespace grapnel
