// Run's part before its loop: the module and its callbacks, the data, the optimizers.
#include <fmt/format.h>

#include <algorithm>

#include "dispatch/callback_order.h"
#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "run/optimization.h"
#include "run/run.h"

namespace grapnel {

void Run::adopt(const ModuleRef& ref) {
  if (module != nullptr && module != ref.module) module->trainers_.remove(trainer);
  module = ref.module;
  mask = ref.module->implemented(ref.overridden);
  module->trainers_.set_current(trainer);
}

void Run::reclaim() {
  if (module != nullptr) module->trainers_.set_current(trainer);
  if (data.module != nullptr) data.module->trainers_.set_current(trainer);
}

void Run::forget_module() noexcept {
  leases.drop_all();
  weight_leases.forget();
  module = nullptr;
  hooks.set_module(nullptr, {});
}

void Run::adopt_data(Data given) {
  if (data.module != nullptr && data.module != given.module) {
    data.module->trainers_.remove(trainer);
  }
  data = std::move(given);
  // A single loader is the data of the run, of any kind.
  if (!fitting() && data.loaders && data.eval.empty() && data.train != nullptr) {
    data.eval = {data.train};
  }
  if (data.module == nullptr) return;
  data.methods = data.module->implemented(data.methods);
  data.module->trainers_.set_current(trainer);
}

void Run::require(ModuleMethod method, std::string_view name, std::string_view run) const {
  if (has(method)) return;
  throw ConfigError({}, fmt::format("{} has no {}, which {} needs; override it in the module",
                                    module->type_name(), name, run));
}

bool Run::data_function_defined(DataMethod method) const {
  return data.module != nullptr ? data_module_has(method) : mask.has(method);
}

// Those of the last run's module, which may be another one, make room for the trainer's own. They
// stay until here, so that they can be looked at after a run.
void Run::detach_module_callbacks() {
  const size_t before = callbacks.size();
  std::erase_if(callbacks,
                [](const auto& handle) { return handle.origin == CallbackOrigin::module; });
  if (callbacks.size() == before && replaced_callbacks_.empty()) return;
  for (auto& [index, handle] : replaced_callbacks_) {
    callbacks.insert(
        callbacks.begin() + static_cast<std::ptrdiff_t>(std::min(index, callbacks.size())),
        std::move(handle));
  }
  replaced_callbacks_.clear();
  callbacks = ordered(std::move(callbacks));
  hooks.assign(callbacks);
}

// Callbacks of the module replace the trainer's of the same class or a base of it.
void Run::attach_module_callbacks() {
  detach_module_callbacks();
  std::vector<CallbackHandle> own;
  if (has(ModuleMethod::configure_callbacks)) {
    own = in_module("configure_callbacks", [&] { return module->configure_callbacks(); });
  }
  if (own.empty()) return;
  std::vector<std::string> replaced;
  std::vector<CallbackHandle> merged;
  for (size_t i = 0; i < callbacks.size(); ++i) {
    const CallbackHandle& handle = callbacks[i];
    const bool overridden = std::any_of(own.begin(), own.end(), [&](const CallbackHandle& mine) {
      return handle.is_base_of(*mine.callback);
    });
    if (overridden) {
      replaced.push_back(handle.callback->type_name());
      replaced_callbacks_.emplace_back(i, handle);
    } else {
      merged.push_back(handle);
    }
  }
  if (!replaced.empty()) {
    std::sort(replaced.begin(), replaced.end());
    replaced.erase(std::unique(replaced.begin(), replaced.end()), replaced.end());
    log_info("callbacks of the module's configure_callbacks replace the trainer's: {}",
             fmt::join(replaced, ", "));
  }
  for (CallbackHandle& handle : own) {
    handle.origin = CallbackOrigin::module;
    merged.push_back(std::move(handle));
  }
  callbacks = ordered(std::move(merged));
  hooks.assign(callbacks);
}

void Run::setup_data_and_hooks() {
  if (data_module_has(DataMethod::prepare_data)) {
    in_data("prepare_data", [&] { data.module->prepare_data(); });
  }
  if (mask.has(DataMethod::prepare_data)) in_data("prepare_data", [&] { module->prepare_data(); });
  loggers.start();
  if (data.module != nullptr) in_data("setup", [&] { data.module->setup(state.kind); });
  StageEvent event{this->event(), state.kind};
  hooks.setup(event);
  if (has(ModuleMethod::configure_model)) {
    in_module("configure_model", [&] { module->configure_model(); });
  }
  // Before weights are restored, so that they come back in the type that they were saved in.
  convert_parameters(module->state_view(), options.precision);
}

void Run::configure_optimizers() {
  OptimizerConfig config =
      in_module("configure_optimizers", [&] { return module->configure_optimizers(); });
  optimizers = std::move(config.optimizers);
  schedulers = std::move(config.schedulers);
  if (optimizers.empty()) {
    log_warning("configure_optimizers returned no optimizer; nothing is trained");
    optimizers.push_back(std::make_shared<NoOptimizer>());
  }
  for (const auto& optimizer : optimizers) {
    if (optimizer == nullptr)
      throw ConfigError({}, "configure_optimizers returned a null optimizer");
  }
  for (const SchedulerConfig& scheduler : schedulers) {
    if (scheduler.scheduler == nullptr) {
      throw ConfigError({}, "configure_optimizers returned a null scheduler");
    }
    const std::string name = scheduler.scheduler->type_name();
    if (std::none_of(optimizers.begin(), optimizers.end(), [&](const auto& optimizer) {
          return optimizer.get() == &scheduler.scheduler->optimizer();
        })) {
      throw ConfigError({}, fmt::format("{} is attached to an optimizer that configure_optimizers "
                                        "didn't return",
                                        name));
    }
    if (scheduler.frequency < 1) {
      throw ConfigError(
          {}, fmt::format("{} has frequency={}; it must be at least 1", name, scheduler.frequency),
          "frequency");
    }
    if (scheduler.scheduler->wants_metric() && scheduler.monitor.empty() &&
        module->automatic_optimization) {
      throw ConfigError({},
                        fmt::format("{} needs the name of the metric to look at: set `monitor` in "
                                    "its scheduler config",
                                    name),
                        "monitor");
    }
    if (name == "OneCycleLR" && scheduler.interval == Interval::epoch) {
      log_warning("OneCycleLR usually moves on every step; its interval is set to epoch");
    }
  }
}

void Run::give_hyper_parameters_to_loggers() {
  if (options.loggers.empty()) return;
  StateDict hyper = module->hyper_parameters;
  if (data.module != nullptr) {
    for (const auto& [key, value] : data.module->hyper_parameters) hyper[key] = value;
  }
  if (!hyper.empty() && options.enable_autolog_hparams) loggers.log_hyperparams(hyper);
  loggers.save();
}

}  // namespace grapnel
