// Pruned parameters in a model's state view: "weight_orig" and "weight_mask" in the place of "weight".
#pragma once

#include <string>

#include "grapnel/callbacks/model_pruning.h"
#include "grapnel/module.h"

namespace grapnel {

inline std::string orig_name(const std::string& name) {
  return name + "_orig";
}
inline std::string mask_name(const std::string& name) {
  return name + "_mask";
}

// The parameter itself, whether it is pruned now or not; undefined when there is none.
inline at::Tensor pruning_parameter(Module& module, const std::string& name) {
  const StateView& view = module.state_view();
  const StateEntry* entry = view.find(orig_name(name));
  if (entry == nullptr) entry = view.find(name);
  return entry == nullptr || !entry->is_parameter ? at::Tensor() : entry->tensor;
}

// Undefined while it is not pruned.
inline at::Tensor pruning_mask(Module& module, const std::string& name) {
  const StateEntry* entry = module.state_view().find(mask_name(name));
  return entry == nullptr ? at::Tensor() : entry->tensor;
}

struct ModelPruning::Pruned {
  at::Tensor mask;       // the view's
  at::Tensor effective;  // the masked values that the model last computed with
  Lease renamed;         // "_orig" and "_mask" in the view
};

}  // namespace grapnel
