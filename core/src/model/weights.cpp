#include "model/weights.h"

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <set>
#include <string>

#include "grapnel/base/error.h"
#include "grapnel/base/text.h"
#include "model/pruned_weights.h"

namespace grapnel {

namespace {

std::string shape_text(const at::Tensor& tensor) {
  return fmt::format("[{}]", fmt::join(tensor.sizes(), ", "));
}

}  // namespace

StateDict weights_of(Module& module, const WeightLeases& leases) {
  StateDict weights;
  for (const auto& [name, live, persistent] : saved_tensors(module.state_view())) {
    if (persistent) weights[name] = leases.training(live);
  }
  return weights;
}

WeightLoad::WeightLoad(Module& module, const WeightLeases& leases, const StateDict& weights,
                       bool strict) {
  std::vector<std::string> missing;
  std::set<std::string> expected;
  for (const auto& [name, live, persistent] : saved_tensors(module.state_view())) {
    if (!persistent) continue;
    expected.insert(name);
    const StateValue* saved = weights.find(name);
    if (saved == nullptr) {
      missing.push_back(name);
      continue;
    }
    const at::Tensor& tensor = saved->to_tensor();
    if (tensor.sizes() != live.sizes()) {
      throw Error(fmt::format("'{}' has shape {} in the checkpoint, but {} in the model", name,
                              shape_text(tensor), shape_text(live)));
    }
    copies_.emplace_back(leases.training(live), tensor);
  }
  if (!strict) return;
  std::vector<std::string> unexpected;
  for (const auto& [name, value] : weights) {
    if (!expected.contains(name)) unexpected.push_back(name);
  }
  if (missing.empty() && unexpected.empty()) return;
  throw Error(fmt::format(
      "its weights are not those of {}: missing {}; unexpected {}. Use the model and the callbacks "
      "(model_pruning) it was written with, or load what matches: strict_loading = false in a "
      "trainer's module, strict = false for Fabric::load",
      module.type_name(), missing.empty() ? "none" : join(missing, ", "),
      unexpected.empty() ? "none" : join(unexpected, ", ")));
}

std::vector<std::pair<at::Tensor, at::Tensor>> WeightLoad::present() const {
  std::vector<std::pair<at::Tensor, at::Tensor>> present;
  for (const auto& [live, saved] : copies_) present.emplace_back(live, live.detach().clone());
  return present;
}

void WeightLoad::apply() const {
  const at::NoGradGuard no_grad;
  for (const auto& [live, saved] : copies_) live.copy_(saved);
}

}  // namespace grapnel
