#include "model/weight_leases.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include <exception>

namespace grapnel {

void WeightLeases::apply(Weight& weight) {
  const at::NoGradGuard no_grad;
  at::Tensor value = weight.training;
  for (const Layer& layer : weight.layers) {
    if (layer.kind == Kind::replacement) value = layer.tensor;
  }
  for (const Layer& layer : weight.layers) {
    if (layer.kind == Kind::mask) value = value * layer.tensor;
  }
  weight.live.set_data(value);
}

void WeightLeases::take(Id id, Kind kind, const std::vector<Change>& changes) {
  try {
    for (const Change& change : changes) {
      const auto [place, is_new] = weights_.try_emplace(change.live.unsafeGetTensorImpl());
      Weight& weight = place->second;
      if (is_new) weight = {change.live, change.live.detach(), {}};
      weight.layers.push_back({id, kind, change.tensor});
      apply(weight);
    }
  } catch (...) {
    const std::exception_ptr why = std::current_exception();
    try {
      end(id);
    } catch (...) {  // the first reason counts
    }
    std::rethrow_exception(why);
  }
}

void WeightLeases::end(Id id) {
  std::vector<Weight*> changed;
  for (auto& [live, weight] : weights_) {
    const auto own = [id](const Layer& layer) { return layer.id == id; };
    if (std::erase_if(weight.layers, own) > 0) changed.push_back(&weight);
  }
  // There may be no memory for a product with a remaining mask; then the training tensor is used.
  std::exception_ptr failure;
  for (Weight* weight : changed) {
    try {
      apply(*weight);
    } catch (...) {
      if (!failure) failure = std::current_exception();
      weight->live.set_data(weight->training);
    }
  }
  std::erase_if(weights_, [](const auto& item) { return item.second.layers.empty(); });
  if (failure) std::rethrow_exception(failure);
}

at::Tensor WeightLeases::training(const at::Tensor& live) const {
  const auto found = weights_.find(live.unsafeGetTensorImpl());
  return found == weights_.end() ? live.detach() : found->second.training;
}

at::Tensor WeightLeases::replacement(const at::Tensor& live) const {
  at::Tensor value;
  const auto found = weights_.find(live.unsafeGetTensorImpl());
  if (found == weights_.end()) return value;
  for (const Layer& layer : found->second.layers) {
    if (layer.kind == Kind::replacement) value = layer.tensor;
  }
  return value;
}

}  // namespace grapnel
