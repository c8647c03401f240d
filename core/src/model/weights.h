// A module's weights in checkpoints: taken from it, checked, put back.
//
// They are the entries of its state view that are persistent, under the names that files have
// (pruned_weights.h). What counts is the trained values, also while a lease (weight_leases.h) has
// replaced them.
#pragma once

#include <ATen/core/Tensor.h>

#include <utility>
#include <vector>

#include "grapnel/module.h"
#include "grapnel/state_dict.h"
#include "model/weight_leases.h"

namespace grapnel {

// By name; the tensors themselves, not copies.
StateDict weights_of(Module& module, const WeightLeases& leases);

// Weights that fit a module, about to be put into it: all is checked before the first is changed.
class WeightLoad {
 public:
  // strict: every name must be among the module's, and the other way round; else what matches is
  // taken. Throws Error for names that don't match and for a tensor of another shape. Tensors of
  // another type are converted to the module's, from any device.
  WeightLoad(Module& module, const WeightLeases& leases, const StateDict& weights, bool strict);

  void apply() const;
  // The module's tensors that apply() writes to, each with a copy of what it holds now.
  std::vector<std::pair<at::Tensor, at::Tensor>> present() const;

 private:
  std::vector<std::pair<at::Tensor, at::Tensor>> copies_;  // of the module, and saved
};

}  // namespace grapnel
