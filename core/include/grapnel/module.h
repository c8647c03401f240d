// The model, as the Trainer sees it: steps, optimizers and hooks. Every function is optional.
//
// Derive from it directly, or from NNModule (<grapnel/nn_module.h>), which adapts a
// torch::nn::Module. A function that is not overridden is never called, and "does the module define
// it" is answered from its type (see hook_mask.h), as Lightning does with is_overridden.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <typeinfo>
#include <vector>

#include "grapnel/batch_norm.h"
#include "grapnel/callback.h"
#include "grapnel/data.h"
#include "grapnel/events.h"
#include "grapnel/layer.h"
#include "grapnel/log_options.h"
#include "grapnel/lr_scheduler.h"
#include "grapnel/state_view.h"
#include "grapnel/trainer_links.h"

namespace grapnel {

class Run;

enum class ClipAlgorithm { norm, value };

// The functions of a module beyond the hooks of hooks.def: names for override masks.
#define GRAPNEL_MODULE_METHODS(X)  \
  X(training_step)                 \
  X(validation_step)               \
  X(test_step)                     \
  X(predict_step)                  \
  X(configure_optimizers)          \
  X(configure_callbacks)           \
  X(configure_model)               \
  X(backward)                      \
  X(optimizer_step)                \
  X(optimizer_zero_grad)           \
  X(configure_gradient_clipping)   \
  X(lr_scheduler_step)             \
  X(on_validation_model_zero_grad) \
  X(on_validation_model_eval)      \
  X(on_validation_model_train)     \
  X(on_test_model_eval)            \
  X(on_test_model_train)           \
  X(on_predict_model_eval)         \
  X(on_predict_model_train)

enum class ModuleMethod : uint32_t {
#define X(name) name,
  GRAPNEL_MODULE_METHODS(X)
#undef X
      count
};

// What a module defines: its hooks, its other functions, its data functions.
struct ModuleMask {
  HookMask hooks;
  BitMask<static_cast<size_t>(ModuleMethod::count)> methods;
  DataMask data;

  constexpr bool has(ModuleMethod method) const {
    return methods.test(static_cast<size_t>(method));
  }
  constexpr bool has(DataMethod method) const { return data.test(static_cast<size_t>(method)); }
  constexpr bool has(Hook hook) const { return hooks.test(hook); }
};

// One optimizer under manual optimization: its step counts, fires on_before_optimizer_step and
// on_after_optimizer_step, and leaves the rest to the module.
class GRAPNEL_CORE_API ManualOptimizer {
 public:
  ManualOptimizer(Trainer& trainer, size_t index) : trainer_(trainer), index_(index) {}
  void step(const Closure& closure = {});
  void zero_grad(bool set_to_none = true);
  Optimizer& optimizer() const;
  size_t index() const { return index_; }

 private:
  Trainer& trainer_;
  size_t index_;
};

class GRAPNEL_CORE_API Module {
 public:
  virtual ~Module();

  // ---- Steps. batch_idx counts within the epoch and loader, from 0.
  virtual StepOutput training_step(Batch& batch, int64_t batch_idx);
  virtual StepOutput validation_step(Batch& batch, int64_t batch_idx, int64_t dataloader_idx);
  virtual StepOutput test_step(Batch& batch, int64_t batch_idx, int64_t dataloader_idx);
  // Default: forward of the batch's first tensor.
  virtual TensorTree predict_step(Batch& batch, int64_t batch_idx, int64_t dataloader_idx);
  virtual at::Tensor forward(const at::Tensor& input);

  // ---- Configuration
  virtual OptimizerConfig configure_optimizers();
  virtual std::vector<CallbackHandle> configure_callbacks() { return {}; }
  virtual void configure_model() {}

  // ---- Hooks shared with Callback
#define GRAPNEL_MODULE_HOOK_0(name, EventType)
#define GRAPNEL_MODULE_HOOK_1(name, EventType) \
  virtual void name(EventType&) {}
#define GRAPNEL_HOOK(id, name, EventType, stage, module) \
  GRAPNEL_MODULE_HOOK_##module(name, EventType)
#include "grapnel/hooks.def"
#undef GRAPNEL_HOOK
#undef GRAPNEL_MODULE_HOOK_0
#undef GRAPNEL_MODULE_HOOK_1

  // ---- Parts of an optimization step; each default does what its name says.
  virtual void backward(const at::Tensor& loss);
  virtual void optimizer_step(int64_t epoch, int64_t batch_idx, Optimizer& optimizer,
                              const Closure& closure);
  virtual void optimizer_zero_grad(int64_t epoch, int64_t batch_idx, Optimizer& optimizer);
  // Default: clip_gradients with the trainer's values.
  virtual void configure_gradient_clipping(Optimizer& optimizer, std::optional<double> clip_val,
                                           std::optional<ClipAlgorithm> algorithm);
  virtual void lr_scheduler_step(LRScheduler& scheduler, std::optional<double> metric);

  // ---- Train and eval mode around evaluation. Default: every submodule's mode is put back as it
  // was.
  virtual void on_validation_model_zero_grad();
  virtual void on_validation_model_eval() {
    train(false);
  }
  virtual void on_validation_model_train() {
    train(true);
  }
  virtual void on_test_model_eval() {
    train(false);
  }
  virtual void on_test_model_train() {
    train(true);
  }
  virtual void on_predict_model_eval() {
    train(false);
  }
  virtual void on_predict_model_train() {
    train(true);
  }

  // ---- Data, for modules that bring their own; see DataModule.
  virtual void prepare_data() {}
  virtual std::shared_ptr<DataLoader> train_dataloader() {
    return nullptr;
  }
  virtual DataLoaders val_dataloaders() {
    return {};
  }
  virtual DataLoaders test_dataloaders() {
    return {};
  }
  virtual DataLoaders predict_dataloaders() {
    return {};
  }
  virtual Batch on_before_batch_transfer(Batch batch, int64_t /*dataloader_idx*/) {
    return batch;
  }
  virtual Batch transfer_batch_to_device(Batch batch, const at::Device& device,
                                         int64_t dataloader_idx);
  virtual Batch on_after_batch_transfer(Batch batch, int64_t /*dataloader_idx*/) {
    return batch;
  }

  // ---- What the module is made of
  virtual std::string type_name() const;
  virtual StateView& state_view();
  // Train (true) or eval mode of every submodule.
  virtual void train(bool) {}
  // Mode of each submodule by name, "" for the module itself, to be put back later.
  virtual std::vector<std::pair<std::string, bool>> training_modes() const {
    return {};
  }
  virtual void set_training_modes(const std::vector<std::pair<std::string, bool>>&) {}
  virtual void to(const at::Device& device);
  // Its batch normalization layers, for callbacks that freeze them or compute their running
  // statistics again; none where the module doesn't know them.
  virtual std::vector<BatchNormLayer> batch_norms() {
    return {};
  }
  // Redraws the parameters of a part ("layers.0"), as when it was made. Returns false,
  // having changed nothing, when the module doesn't know how.
  virtual bool reset_parameters(const std::string& /*part*/) {
    return false;
  }
  virtual std::optional<double> flops_per_batch() const {
    return {};
  }
  // Its parts, at all depths, parents before their children; not the module itself. Empty where
  // they are not known.
  virtual std::vector<Layer> layers() {
    return {};
  }
  // An input of forward, of any values, to find out the sizes between the layers; undefined: none.
  virtual at::Tensor example_input() {
    return {};
  }
  // A batch size or learning rate that can be changed by name ("batch_size", "lr",
  // "learning_rate").
  virtual int64_t* integer_attribute(const std::string& /*name*/) {
    return nullptr;
  }
  virtual double* number_attribute(const std::string& /*name*/) {
    return nullptr;
  }

  // Functions that this instance has, out of those that its class overrides.
  virtual ModuleMask implemented(const ModuleMask& overridden) const {
    return overridden;
  }

  // ---- For use within steps and hooks
  // Throws ConfigError where logging isn't allowed, MetricError for a value that isn't one number.
  void log(const std::string& name, const LogValue& value, const LogOptions& options = {});
  void log_dict(const std::vector<std::pair<std::string, LogValue>>& values,
                const LogOptions& options = {});

  // Manual optimization (automatic_optimization = false).
  ManualOptimizer optimizers(size_t index = 0);
  void manual_backward(const at::Tensor& loss);
  // Freezes the parameters of the other optimizers, so that a step of this one leaves them alone:
  // until untoggle_optimizer, or the end of the run, however it ends.
  void toggle_optimizer(const ManualOptimizer& optimizer);
  void untoggle_optimizer(const ManualOptimizer& optimizer);

  void clip_gradients(Optimizer& optimizer, std::optional<double> clip_val,
                      std::optional<ClipAlgorithm> algorithm);

  Trainer& trainer() const;  // throws ConfigError outside of a run
  bool has_trainer() const {
    return trainers_.current() != nullptr;
  }

  bool automatic_optimization = true;
  // Must every name in a checkpoint's weights match one of the module's, and the other way round?
  bool strict_loading = true;
  // What was chosen by the user, to be kept in checkpoints and given to loggers.
  StateDict hyper_parameters;

 protected:
  // For state_view() of derived classes that fill it once.
  StateView view_;

 private:
  friend class Trainer;
  friend class Run;
  TrainerLinks trainers_;
  std::vector<std::pair<at::Tensor, bool>> toggled_;
};

template <class T>
constexpr ModuleMask overridden_module_functions() {
  ModuleMask mask;
#define GRAPNEL_MODULE_HOOK_0(name)
#define GRAPNEL_MODULE_HOOK_1(name) mask.hooks.set(Hook::name, GRAPNEL_OVERRIDES(T, Module, name));
#define GRAPNEL_HOOK(id, name, EventType, stage, module) GRAPNEL_MODULE_HOOK_##module(name)
#include "grapnel/hooks.def"
#undef GRAPNEL_HOOK
#undef GRAPNEL_MODULE_HOOK_0
#undef GRAPNEL_MODULE_HOOK_1
#define X(name) \
  mask.methods.set(static_cast<size_t>(ModuleMethod::name), GRAPNEL_OVERRIDES(T, Module, name));
  GRAPNEL_MODULE_METHODS(X)
#undef X
  mask.data = overridden_data_methods<T, Module>();
  return mask;
}

// A module together with the mask of its class; converts from a reference to the module's own type.
struct GRAPNEL_CORE_API ModuleRef {
  template <class T>
  requires std::derived_from<T, Module> ModuleRef(T& object)
      : module(&object), overridden(overridden_module_functions<T>()) {
    check_type(typeid(object), typeid(T));
  }
  // For hosts that only know the base class: the mask was taken where the type was known.
  ModuleRef(Module& object, const ModuleMask& mask) : module(&object), overridden(mask) {}

  Module* module;
  ModuleMask overridden;

 private:
  static void check_type(const std::type_info& dynamic, const std::type_info& given);
};

}  // namespace grapnel
