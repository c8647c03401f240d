// The model's parameters and buffers as one ordered list of named tensors.
//
// Checkpoints, averaging, pruning, summaries and plugins see the model only through this view; none
// of them knows torch::nn. The tensors are the live ones: writing to one changes the model.
//
// A pruned parameter keeps its name and its dense tensor, which the optimizer trains, and gets a
// mask. The model computes with tensor * mask, which ModelPruning leases into it for that time. So
// whoever keeps names of parameters, for a checkpoint or for groups of an optimizer, keeps these;
// "weight_orig" and "weight_mask" are names in checkpoint files only.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "grapnel/export.h"

namespace grapnel {

struct StateEntry {
  std::string name;  // "layers.0.weight"
  at::Tensor tensor;
  bool is_parameter = true;  // else a buffer
  bool persistent = true;    // saved in checkpoints
  // 1 for elements that stay, 0 for pruned ones; of the tensor's shape, type and device. Undefined
  // for buffers and for parameters that are not pruned. Changes of the mask are made in place.
  at::Tensor mask = {};
};

class GRAPNEL_CORE_API StateView {
 public:
  // Parameters first, then buffers, each in the model's own order. Throws ConfigError for a name
  // that occurs twice.
  void add(StateEntry entry);

  const std::vector<StateEntry>& entries() const { return entries_; }
  std::vector<StateEntry> parameters() const;
  std::vector<StateEntry> buffers() const;

  // nullptr when there is none of that name.
  const StateEntry* find(std::string_view name) const;
  StateEntry* find(std::string_view name);

  // Both throw ConfigError for an unknown name.
  void rename(std::string_view from, std::string to);
  void erase(std::string_view name);

  // Gives a parameter a mask, or takes it away (undefined). Throws ConfigError for an unknown name,
  // a buffer, or a mask of another shape, type or device.
  void set_mask(std::string_view name, at::Tensor mask);

  // Grows whenever entries or masks appear or vanish, and when an entry is renamed.
  uint64_t generation() const { return generation_; }

 private:
  std::vector<StateEntry> entries_;
  uint64_t generation_ = 0;
};

}  // namespace grapnel
