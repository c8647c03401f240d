#include "values/tensor_tree.h"

namespace grapnel {

TensorTree on_cpu(const TensorTree& tree) {
  TensorTree copy;
  if (tree.tensor.defined()) copy.tensor = tree.tensor.detach().cpu();
  for (const auto& [name, child] : tree.children) copy.children.emplace_back(name, on_cpu(child));
  return copy;
}

}  // namespace grapnel
