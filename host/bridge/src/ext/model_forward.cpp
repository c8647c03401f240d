#include "model_forward.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <string>
#include <utility>
#include <vector>

#include <grapnel/base/log.h>
#include <grapnel/base/text.h>
#include <grapnel/layer_observer.h>
#include <grapnel/module.h>
#include <grapnel/precision.h>
#include <grapnel/trainer.h>

#include "../describe_exception.h"
#include "../generators.h"
#include "../instance_host.h"

namespace grapnel::bridge {
namespace {

// What can't be put back is told: the forward pass has its result, or a failure of its own.
template <class F>
void put_back(const char* what, F&& act) noexcept {
  try {
    act();
  } catch (...) {
    log_error("module.forward: {} can't be put back: {}", what,
              describe_exception(std::current_exception()));
  }
}

// The modes of all layers, put back at the end.
class KeptModes {
 public:
  explicit KeptModes(Module& module) : module_(module), modes_(module.training_modes()) {}
  ~KeptModes() {
    put_back("the modes of the model's layers", [&] { module_.set_training_modes(modes_); });
  }
  KeptModes(const KeptModes&) = delete;
  KeptModes& operator=(const KeptModes&) = delete;

 private:
  Module& module_;
  std::vector<std::pair<std::string, bool>> modes_;
};

// The values of all buffers, put back at the end. Through a variable of its own: to autograd, which may
// have saved a buffer for the backward pass, nothing has been written.
class KeptBuffers {
 public:
  explicit KeptBuffers(Module& module) {
    for (const StateEntry& entry : module.state_view().entries()) {
      if (entry.is_parameter || !entry.tensor.defined()) continue;
      kept_.emplace_back(entry.tensor, entry.tensor.detach().clone());
    }
  }
  ~KeptBuffers() {
    for (const auto& [live, before] : kept_) {
      put_back("a buffer of the model", [&] {
        if (live.sizes() != before.sizes()) live.resize_(before.sizes());
        live.variable_data().copy_(before);
      });
    }
  }
  KeptBuffers(const KeptBuffers&) = delete;
  KeptBuffers& operator=(const KeptBuffers&) = delete;

 private:
  std::vector<std::pair<at::Tensor, at::Tensor>> kept_;
};

bool shares_any(const at::Tensor& output, Module& module, const at::Tensor& input) {
  std::vector<const void*> memory;
  add_memory(input, memory);
  for (const StateEntry& entry : module.state_view().entries()) {
    if (entry.tensor.defined()) add_memory(entry.tensor, memory);
  }
  std::sort(memory.begin(), memory.end());
  return shares_memory(output, memory);
}

}  // namespace

at::Tensor forward_undisturbed(InstanceHost& self, const at::Tensor& input, bool eval) {
  Module& module = *self.module();
  const Trainer& trainer = *self.trainer();
  const Precision precision = trainer.options().precision;
  at::Tensor on_device = input.to(trainer.device());
  if (const auto type = converted_type(precision); type && on_device.is_floating_point()) {
    on_device = on_device.to(*type);
  }
  const LayerObserver::Pause unseen;
  self.keep_beginning();
  const OwnGenerators random(self.generators);
  const KeptBuffers buffers(module);
  const KeptModes modes(module);
  if (eval) module.train(false);
  const PrecisionScope computing(precision, trainer.device());
  at::Tensor output = module.forward(on_device);
  if (!output.defined()) {
    throw self.error(
        fmt::format("module.forward: {} returned no tensor", printable(module.type_name())));
  }
  output = output.detach();
  return shares_any(output, module, on_device) ? output.clone() : output;
}

}  // namespace grapnel::bridge
