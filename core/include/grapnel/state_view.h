// The model's parameters and buffers as one ordered list of named tensors.
//
// Checkpoints, averaging, pruning, summaries and plugins see the model only through this view; none
// of them knows torch::nn. The tensors are the live ones: writing to one changes the model.
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
  bool persistent = true;    // stands in checkpoints
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

  // Renames an entry, as pruning does with "weight" -> "weight_orig"; erase takes one out. Both,
  // like add, raise the generation.
  void rename(std::string_view from, std::string to);
  void erase(std::string_view name);

  // Grows whenever entries appear, vanish or change their names.
  uint64_t generation() const { return generation_; }

 private:
  std::vector<StateEntry> entries_;
  uint64_t generation_ = 0;
};

}  // namespace grapnel
