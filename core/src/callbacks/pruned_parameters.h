// Pruned parameters in a model's state view: "weight_orig" and "weight_mask" in the place of "weight".
#pragma once

#include <string>

#include "grapnel/callbacks/model_pruning.h"
#include "grapnel/module.h"
#include "grapnel/trainer.h"

namespace grapnel {

inline std::string orig_name(const std::string& name) {
  return name + "_orig";
}
inline std::string mask_name(const std::string& name) {
  return name + "_mask";
}

// Is the entry the mask of a pruned parameter?
inline bool is_pruning_mask(const StateView& view, const StateEntry& entry) {
  if (entry.is_parameter || !entry.name.ends_with("_mask")) return false;
  return view.find(orig_name(entry.name.substr(0, entry.name.size() - 5))) != nullptr;
}

// The entry's name when it is not pruned.
inline std::string unpruned_name(const StateView& view, const StateEntry& entry) {
  if (!entry.is_parameter || !entry.name.ends_with("_orig")) return entry.name;
  std::string name = entry.name.substr(0, entry.name.size() - 5);
  return view.find(mask_name(name)) == nullptr ? entry.name : name;
}

// By the name that the entry has when it is not pruned; nullptr when there is none.
inline const StateEntry* pruning_entry(const StateView& view, const std::string& name) {
  const StateEntry* entry = view.find(name);
  return entry != nullptr ? entry : view.find(orig_name(name));
}

// The parameter itself, whether it is pruned now or not; undefined when there is none.
inline at::Tensor pruning_parameter(Module& module, const std::string& name) {
  const StateEntry* entry = pruning_entry(module.state_view(), name);
  return entry == nullptr || !entry->is_parameter ? at::Tensor() : entry->tensor;
}

// The parameter's values as they are trained, whatever stands in their place for a while.
inline at::Tensor pruning_values(const Trainer& trainer, Module& module, const std::string& name) {
  const StateEntry* entry = pruning_entry(module.state_view(), name);
  return entry == nullptr ? at::Tensor() : trainer.training_tensor(entry->name);
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
