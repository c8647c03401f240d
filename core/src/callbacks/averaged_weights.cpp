#include "averaged_weights.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/lerp.h>
#include <fmt/format.h>

#include "grapnel/base/error.h"
#include "grapnel/base/text.h"

namespace grapnel {

namespace {

at::Tensor running_mean_of(const at::Tensor& average, const at::Tensor& model, int64_t n_averaged) {
  const double share = 1.0 / static_cast<double>(n_averaged + 1);
  if (average.is_floating_point()) return at::lerp(average, model, share);
  return average.to(at::kDouble) + (model - average).to(at::kDouble) * share;
}

}  // namespace

void AveragedWeights::clear() {
  entries_.clear();
  n_averaged_ = 0;
}

void AveragedWeights::start(Module& module, const std::optional<at::Device>& device) {
  clear();
  for (const StateEntry& entry : module.state_view().entries()) {
    const at::Tensor source = entry.tensor.detach();
    at::Tensor copy = device ? source.to(*device, source.scalar_type(), /*non_blocking=*/false,
                                         /*copy=*/true)
                             : source.clone();
    entries_.push_back({entry.name, std::move(copy), entry.is_parameter, entry.persistent});
  }
}

void AveragedWeights::move_to(const at::Device& device) {
  for (Entry& entry : entries_) entry.average = entry.average.to(device);
}

void AveragedWeights::update(Module& module, const AverageFunction& function, bool buffers) {
  const at::NoGradGuard no_grad;
  const StateView& view = module.state_view();
  for (Entry& entry : entries_) {
    const StateEntry* live = view.find(entry.name);
    if (live == nullptr || (!entry.is_parameter && !buffers)) continue;
    const at::Tensor model = live->tensor.detach().to(entry.average.device());
    if (n_averaged_ == 0) {
      entry.average.copy_(model);
    } else if (function) {
      entry.average.copy_(function(entry.average, model, n_averaged_));
    } else {
      entry.average.copy_(running_mean_of(entry.average, model, n_averaged_));
    }
  }
  ++n_averaged_;
}

void AveragedWeights::follow_buffers(Module& module) {
  const at::NoGradGuard no_grad;
  for (Entry& entry : entries_) {
    if (entry.is_parameter) continue;
    const StateEntry* live = module.state_view().find(entry.name);
    if (live != nullptr) entry.average.copy_(live->tensor.detach());
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

StateDict AveragedWeights::state() const {
  StateDict state;
  for (const Entry& entry : entries_) {
    if (entry.persistent) state[entry.name] = entry.average;
  }
  return state;
}

void AveragedWeights::load(const StateDict& state) {
  for (const Entry& entry : entries_) {
    const StateValue* saved = state.find(entry.name);
    if (saved == nullptr || saved->to_tensor().sizes() == entry.average.sizes()) continue;
    throw CheckpointError(
        {}, fmt::format("the average of {} is {}, the model's is {}", quote(entry.name),
                        saved->describe(), StateValue(entry.average).describe()));
  }
  const at::NoGradGuard no_grad;
  for (Entry& entry : entries_) {
    if (const StateValue* saved = state.find(entry.name)) entry.average.copy_(saved->to_tensor());
  }
}

std::optional<at::Device> averaging_device(const std::string& text, const char* who) {
  if (text.empty()) return {};
  try {
    return at::Device(text);
  } catch (const c10::Error&) {
    throw ConfigError({},
                      fmt::format("{}: device is {}; accepted are names such as 'cpu' and 'cuda:0'",
                                  who, quote(text)),
                      "device");
  }
}

}  // namespace grapnel
