// torch.nn.utils.prune's methods: which elements of a parameter, or which of its channels, go.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "grapnel/callbacks/model_pruning.h"

namespace grapnel {

struct PruningMethod {
  std::string name;      // "L1Unstructured"
  std::string function;  // as it is asked for: "l1_unstructured"; of the user's own: its name
  bool structured = false;
  int64_t dim = 0;  // of structured ones: whose slices are the channels
  // A mask of the shape of scores: 1 stays, 0 goes. mask: the present one.
  std::function<at::Tensor(const at::Tensor& scores, const at::Tensor& mask,
                           const PruningAmount& amount)>
      compute;

  // The present mask with what goes now besides. Only what is left is looked at: amounts are shares
  // of that. Throws ConfigError when the amount is more than that, or the shape has no such
  // channels.
  at::Tensor combine(const at::Tensor& scores, const at::Tensor& mask,
                     const PruningAmount& amount) const;
};

// "l1_unstructured", ...
const std::vector<std::string>& pruning_method_names();

// Throws ConfigError for an unknown name, and for a structured one without dim or norm.
PruningMethod make_pruning_method(const std::string& name, std::optional<int64_t> dim,
                                  std::optional<double> norm);

// Throws ConfigError unless it is a count of at least 0, or a share from 0.0 to 1.0.
void check_pruning_amount(const PruningAmount& amount);
bool is_zero(const PruningAmount& amount);
std::string amount_text(const PruningAmount& amount);

}  // namespace grapnel
