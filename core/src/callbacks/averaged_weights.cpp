#include "callbacks/averaged_weights.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_lerp.h>
#include <fmt/format.h>

#include <algorithm>

#include "grapnel/base/error.h"
#include "grapnel/base/text.h"
#include "model/pruned_weights.h"

namespace grapnel {

namespace {

// Of whole numbers.
at::Tensor running_mean_of(const at::Tensor& average, const at::Tensor& model, double share) {
  return average.to(at::kDouble) + (model - average).to(at::kDouble) * share;
}

// Averages and models that one operation can take together.
struct Alike {
  at::Device device;
  at::ScalarType type;
  std::vector<at::Tensor> averages;
  std::vector<at::Tensor> models;
};

// The model's own tensor, usually at its old index; nullptr: the model no longer has it.
const at::Tensor* live_tensor(const StateView& view, AveragedWeights::Entry& entry) {
  const std::vector<StateEntry>& all = view.entries();
  if (entry.place >= all.size() || all[entry.place].name != entry.name) {
    const StateEntry* found = view.find(entry.name);
    if (found == nullptr) return nullptr;
    entry.place = static_cast<size_t>(found - all.data());
  }
  return &all[entry.place].tensor;
}

void add_to(std::vector<Alike>& groups, const at::Tensor& average, at::Tensor model) {
  auto group = std::find_if(groups.begin(), groups.end(), [&](const Alike& each) {
    return each.device == average.device() && each.type == average.scalar_type();
  });
  if (group == groups.end()) {
    group = groups.insert(group, {average.device(), average.scalar_type(), {}, {}});
  }
  group->averages.push_back(average);
  group->models.push_back(std::move(model));
}

}  // namespace

void AveragedWeights::clear() {
  entries_.clear();
  n_averaged_ = 0;
}

void AveragedWeights::start(Module& module, const std::optional<at::Device>& device) {
  clear();
  const StateView& view = module.state_view();
  for (const StateEntry& entry : view.entries()) {
    const at::Tensor source = entry.tensor.detach();
    at::Tensor copy = device ? source.to(*device, source.scalar_type(), /*non_blocking=*/false,
                                         /*copy=*/true)
                             : source.clone();
    entries_.push_back({entry.name, std::move(copy), entry.is_parameter, entry.persistent,
                        static_cast<size_t>(&entry - view.entries().data())});
  }
}

void AveragedWeights::move_to(const at::Device& device) {
  for (Entry& entry : entries_) entry.average = entry.average.to(device);
}

void AveragedWeights::follow_devices(Module& module) {
  const StateView& view = module.state_view();
  for (Entry& entry : entries_) {
    const at::Tensor* model = live_tensor(view, entry);
    if (model != nullptr) entry.average = entry.average.to(model->device());
  }
}

void AveragedWeights::update(Module& module, const AverageRule& rule, bool buffers) {
  const at::NoGradGuard no_grad;
  const StateView& view = module.state_view();
  std::optional<double> share = rule.share;
  if (!rule.function) share = 1.0 / static_cast<double>(n_averaged_ + 1);
  std::vector<Alike> groups;
  for (Entry& entry : entries_) {
    const at::Tensor* found = live_tensor(view, entry);
    if (found == nullptr || (!entry.is_parameter && !buffers)) continue;
    if (n_averaged_ == 0) {
      entry.average.copy_(*found);
      continue;
    }
    at::Tensor model = found->detach().to(entry.average.device());
    if (share && at::isFloatingType(entry.average.scalar_type())) {
      add_to(groups, entry.average, model.to(entry.average.scalar_type()));
    } else if (rule.function) {
      entry.average.copy_(rule.function(entry.average, model, n_averaged_));
    } else {
      entry.average.copy_(running_mean_of(entry.average, model, *share));
    }
  }
  for (const Alike& group : groups) at::_foreach_lerp_(group.averages, group.models, *share);
  ++n_averaged_;
}

void AveragedWeights::follow_buffers(Module& module) {
  const at::NoGradGuard no_grad;
  const StateView& view = module.state_view();
  for (Entry& entry : entries_) {
    if (entry.is_parameter) continue;
    if (const at::Tensor* model = live_tensor(view, entry)) entry.average.copy_(*model);
  }
}

void AveragedWeights::copy_to(Module& module, bool buffers) const {
  const at::NoGradGuard no_grad;
  for (const Entry& entry : entries_) {
    if (!entry.is_parameter && !buffers) continue;
    const StateEntry* live = module.state_view().find(entry.name);
    if (live == nullptr) continue;
    at::Tensor tensor = live->tensor.detach();
    tensor.copy_(entry.average);
  }
}

std::vector<std::pair<std::string, at::Tensor>> AveragedWeights::in_model(Module& module) const {
  std::vector<std::pair<std::string, at::Tensor>> found;
  for (const Entry& entry : entries_) {
    const bool in_view = module.state_view().find(entry.name) != nullptr;
    if (in_view) found.emplace_back(entry.name, entry.average);
  }
  return found;
}

StateDict AveragedWeights::state() const {
  StateDict state;
  for (const Entry& entry : entries_) {
    if (entry.persistent) state[entry.name] = entry.average;
  }
  return state;
}

void AveragedWeights::load(const StateDict& state) {
  for (const Entry& entry : entries_) {
    const auto saved = find_weight(state, entry.name);
    if (!saved || saved->tensor.sizes() == entry.average.sizes()) continue;
    throw CheckpointError({}, fmt::format("the average of {} is {}, the model's is {}",
                                          quote(entry.name), StateValue(saved->tensor).describe(),
                                          StateValue(entry.average).describe()));
  }
  const at::NoGradGuard no_grad;
  for (Entry& entry : entries_) {
    if (const auto saved = find_weight(state, entry.name)) entry.average.copy_(saved->tensor);
  }
}

std::optional<at::Device> averaging_device(const std::string& text, const char* who) {
  if (text.empty()) return {};
  try {
    return at::Device(text);
  } catch (const c10::Error&) {
    throw ConfigError::of("device",
                          "{}: device is {}; accepted are names such as 'cpu' and 'cuda:0'", who,
                          quote(text));
  }
}

}  // namespace grapnel
