// How a checkpoint's dictionaries of weights hold a pruned parameter: as torch.nn.utils.prune names
// it, "weight_orig" (dense) and "weight_mask" in the place of "weight". Only this file and its
// source know these names.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>
#include <vector>

#include "grapnel/state_dict.h"
#include "grapnel/state_view.h"

namespace grapnel {

struct SavedTensor {
  std::string name;   // in the file
  at::Tensor tensor;  // live: the entry's tensor or its mask
  bool persistent;    // the entry's; a checkpoint holds only persistent ones
};

// A model's tensors under the names that files have: its entries in order, a mask after its
// parameter. Throws ConfigError when two have the same name.
std::vector<SavedTensor> saved_tensors(const StateView& view);

struct SavedWeight {
  at::Tensor tensor;  // dense
  at::Tensor mask;    // undefined: saved without one
};

// A parameter or buffer by its name in the model, saved with a mask or without one.
std::optional<SavedWeight> find_weight(const StateDict& weights, const std::string& name);
// Replaces what find_weight() finds, which must be there.
void put_weight(StateDict& weights, const std::string& name, const SavedWeight& weight);

// The entry that a saved name means. Older files name a pruned parameter "weight_orig" also in the
// states of callbacks. nullptr when there is none.
const StateEntry* find_saved_entry(const StateView& view, const std::string& saved_name);

}  // namespace grapnel
