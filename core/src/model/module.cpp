#include "grapnel/module.h"

#include <ATen/core/Tensor.h>
#include <fmt/format.h>

#include <algorithm>

#include "grapnel/base/error.h"
#include "optim/clip_gradients.h"
#include "values/type_name.h"

namespace grapnel {

namespace {

[[noreturn]] void missing(const Module& module, const char* function) {
  throw ConfigError(
      {}, fmt::format("{} has no {}; override it in the module", module.type_name(), function));
}

}  // namespace

StepOutput Module::training_step(Batch&, int64_t) {
  missing(*this, "training_step");
}
StepOutput Module::validation_step(Batch&, int64_t, int64_t) {
  missing(*this, "validation_step");
}
StepOutput Module::test_step(Batch&, int64_t, int64_t) {
  missing(*this, "test_step");
}

TensorTree Module::predict_step(Batch& batch, int64_t, int64_t) {
  return forward(batch[0]);
}

at::Tensor Module::forward(const at::Tensor&) {
  missing(*this, "forward");
}

OptimizerConfig Module::configure_optimizers() {
  return {};
}

void Module::backward(const at::Tensor& loss) {
  loss.backward();
}

void Module::optimizer_step(int64_t, int64_t, Optimizer& optimizer, const Closure& closure) {
  optimizer.step(closure);
}

void Module::optimizer_zero_grad(int64_t, int64_t, Optimizer& optimizer) {
  optimizer.zero_grad();
}

void Module::configure_gradient_clipping(Optimizer& optimizer, std::optional<double> clip_val,
                                         std::optional<ClipAlgorithm> algorithm) {
  clip_gradients(optimizer, clip_val, algorithm);
}

void Module::clip_gradients(Optimizer& optimizer, std::optional<double> clip_val,
                            std::optional<ClipAlgorithm> algorithm) {
  if (!clip_val.has_value()) return;
  grapnel::clip_gradients(optimizer, *clip_val,
                          algorithm.value_or(ClipAlgorithm::norm) == ClipAlgorithm::norm);
}

void Module::lr_scheduler_step(LRScheduler& scheduler, std::optional<double> metric) {
  scheduler.step(metric);
}

void Module::on_validation_model_zero_grad() {
  for (const StateEntry& entry : state_view().entries()) {
    if (entry.is_parameter) entry.tensor.mutable_grad().reset();
  }
}

Batch Module::transfer_batch_to_device(Batch batch, const at::Device& device, int64_t) {
  for (size_t i = 0; i < batch.size(); ++i) {
    if (batch[i].defined() && batch[i].device() != device) batch.replace(i, batch[i].to(device));
  }
  return batch;
}

std::string Module::type_name() const {
  return unqualified_name(typeid(*this));
}

StateView& Module::state_view() {
  return view_;
}

void Module::to(const at::Device& device) {
  for (const StateEntry& entry : state_view().entries()) {
    for (const at::Tensor& tensor : {entry.tensor, entry.mask}) {
      if (tensor.defined() && tensor.device() != device) tensor.set_data(tensor.to(device));
    }
  }
}

void Module::log_dict(const std::vector<std::pair<std::string, LogValue>>& values,
                      const LogOptions& options) {
  for (const auto& [name, value] : values) log(name, value, options);
}

void Module::untoggle_optimizer(const ManualOptimizer&) {
  for (auto it = toggled_.rbegin(); it != toggled_.rend(); ++it) {
    it->first.set_requires_grad(it->second);
  }
  toggled_.clear();
}

Trainer& Module::trainer() const {
  Trainer* const trainer = trainers_.current();
  if (trainer == nullptr) {
    throw ConfigError({},
                      fmt::format("{} is not in a trainer's run now; call this from a step or hook "
                                  "during fit, validate, test or predict",
                                  type_name()));
  }
  return *trainer;
}

void ModuleRef::check_type(const std::type_info& dynamic, const std::type_info& given) {
  if (dynamic == given) return;
  throw ConfigError({},
                    fmt::format("module {} was passed as its base class {}, which hides what it "
                                "overrides; pass a reference of its own type",
                                unqualified_name(dynamic), unqualified_name(given)));
}

}  // namespace grapnel
