#include "grapnel/fabric.h"

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>

#include "fabric/standard_hook.h"
#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "grapnel/base/text.h"
#include "grapnel/callbacks/checkpoint.h"
#include "metrics/log_rules.h"
#include "optim/clip_gradients.h"
#include "run/run.h"
#include "values/rng.h"

namespace grapnel {

namespace {

TrainerOptions options_of_fabric(const FabricOptions& given) {
  TrainerOptions options;
  options.max_epochs = -1;
  options.enable_checkpointing =
      std::any_of(given.callbacks.begin(), given.callbacks.end(), [](const FabricCallback& each) {
        return each.callback && dynamic_cast<const Checkpoint*>(each.callback->callback.get());
      });
  options.enable_model_summary = false;
  options.loggers = given.loggers;
  options.default_root_dir = given.default_root_dir;
  options.clock = given.clock;
  options.device = given.device;
  return options;
}

std::vector<CallbackHandle> handles_of(const std::vector<FabricCallback>& callbacks) {
  std::vector<CallbackHandle> handles;
  for (const FabricCallback& each : callbacks) {
    if (each.callback) handles.push_back(*each.callback);
  }
  return handles;
}

bool has_hook(const CallbackHandle& handle, Hook hook) {
  return handle.overridden.test(hook) && handle.callback->wanted(handle.overridden).test(hook);
}

}  // namespace

FabricCallback::FabricCallback(CallbackHandle handle)
    : callback(std::move(handle)),
      handlers(std::dynamic_pointer_cast<EventHandlers>(callback->callback)) {}

struct Fabric::Impl {
  // Stands for the module until one was set up, so that every event has one.
  class NoModule : public Module {
   public:
    std::string type_name() const override { return "no module"; }
  };
  struct SetUp {
    Module* module;
    ModuleMask mask;
    EventHandlers* handlers;  // of the module; may be null
  };

  explicit Impl(FabricOptions options)
      : callbacks(std::move(options.callbacks)),
        trainer(options_of_fabric(options), handles_of(callbacks)),
        run(Run::of(trainer)) {
    run.state.kind = RunKind::fit;
    run.state.stage = Stage::train;
    run.state.status = Status::running;
    run.log_directly = [this](const std::string& name, const LogValue& value) {
      log_from_hook(name, value);
    };
  }

  CustomEvent event(std::string_view name) {
    if (run.module == nullptr) run.adopt(ModuleRef(no_module));
    return {run.event(), name};
  }
  void send(const Logger::Metrics& metrics, int64_t step);
  void log_from_hook(const std::string& name, const LogValue& value);
  void call_handler(const EventHandlers& owner, const EventHandler& handler, CustomEvent& event,
                    const EventArguments& arguments);

  std::vector<FabricCallback> callbacks;
  std::vector<SetUp> modules;
  NoModule no_module;
  Trainer trainer;
  Run& run;
  int64_t next_log_step = 0;
  bool loggers_started = false;
};

void Fabric::Impl::send(const Logger::Metrics& metrics, int64_t step) {
  for (const auto& logger : run.options.loggers) {
    if (!loggers_started) logger->start();
    logger->log_metrics(metrics, step);
    logger->save();
  }
  loggers_started = true;
  next_log_step = step + 1;
}

void Fabric::Impl::log_from_hook(const std::string& name, const LogValue& value) {
  const double number = metric_scalar(name, value).number();
  trainer.set_callback_metric(name, number);
  send({{name, number}}, run.global_step());
}

void Fabric::Impl::call_handler(const EventHandlers& owner, const EventHandler& handler,
                                CustomEvent& event, const EventArguments& arguments) {
  if (handler.call == nullptr) {
    log_warning("{}.{} is passed over: it is not callable", owner.owner_name(), handler.event);
    return;
  }
  handler.call(event, bind_arguments(handler, owner.owner_name(), arguments));
}

Fabric::Fabric(FabricOptions options) {
  for (const auto& logger : options.loggers) {
    if (logger == nullptr) throw ConfigError({}, "a logger is null", "loggers");
  }
  if (options.seed) seed_everything(*options.seed);
  impl_ = std::make_unique<Impl>(std::move(options));
}

Fabric::~Fabric() {
  // Before its callbacks go, which may hold some. Those on a module that is gone have ended with it.
  impl_->run.leases.end_all();
  if (!impl_->loggers_started) return;
  for (const auto& logger : loggers()) {
    try {
      logger->finalize("success");
    } catch (const std::exception& error) {
      log_error("a logger failed while its Fabric was ending: {}", error.what());
    }
  }
}

// ---- Setting up

size_t Fabric::add_module(const ModuleRef& ref, EventHandlers* handlers,
                          const std::vector<std::shared_ptr<Optimizer>>& optimizers) {
  Run& run = impl_->run;
  Module& module = *ref.module;
  for (const Impl::SetUp& other : impl_->modules) {
    if (other.module == &module) {
      throw ConfigError({}, fmt::format("{} is set up already", module.type_name()));
    }
  }
  std::vector<const c10::TensorImpl*> own;
  for (const StateEntry& entry : module.state_view().parameters()) {
    own.push_back(entry.tensor.unsafeGetTensorImpl());
  }
  for (const auto& optimizer : optimizers) {
    if (optimizer == nullptr) throw ConfigError({}, "an optimizer to set up is null");
    if (std::count(optimizers.begin(), optimizers.end(), optimizer) > 1 ||
        std::count(run.optimizers.begin(), run.optimizers.end(), optimizer) > 0) {
      throw ConfigError({}, fmt::format("{} is set up already", optimizer->type_name()));
    }
    for (const ParamGroup& group : optimizer->groups()) {
      for (const at::Tensor& parameter : group.params) {
        if (std::find(own.begin(), own.end(), parameter.unsafeGetTensorImpl()) != own.end()) {
          continue;
        }
        throw ConfigError({},
                          fmt::format("{} has a parameter of shape [{}] that is not one of {}'s; "
                                      "make it from the parameters of the module it is set up with",
                                      optimizer->type_name(), fmt::join(parameter.sizes(), ", "),
                                      module.type_name()));
      }
    }
  }
  module.to(run.device);
  if (run.module == nullptr || run.module == &impl_->no_module) run.adopt(ref);
  impl_->modules.push_back({&module, module.implemented(ref.overridden), handlers});
  const size_t first = run.optimizers.size();
  run.optimizers.insert(run.optimizers.end(), optimizers.begin(), optimizers.end());
  return first;
}

FabricOptimizer Fabric::optimizer(size_t index) {
  return {*this, impl_->run.optimizers[index], index};
}

FabricDataLoader Fabric::setup_dataloader(std::shared_ptr<DataLoader> loader) const {
  return {std::move(loader), device()};
}

// ---- In the loop

void Fabric::backward(const at::Tensor& loss) {
  const auto refuse = [](const std::string& what) {
    throw ConfigError({}, "backward takes a scalar loss with a graph behind it, found " + what);
  };
  if (!loss.defined()) refuse("an undefined tensor");
  if (loss.numel() != 1) refuse(EventValue(loss).describe() + "; reduce it first, with .mean()");
  if (!loss.requires_grad()) {
    refuse("one that was computed without gradients, or from nothing that requires them");
  }
  loss.backward();
}

void Fabric::clip_gradients(const FabricOptimizer& optimizer, double clip_val,
                            ClipAlgorithm algorithm) {
  if (!(clip_val > 0)) {
    throw ConfigError({}, fmt::format("clip_val={} must be above 0", clip_val), "clip_val");
  }
  grapnel::clip_gradients(optimizer.optimizer(), clip_val, algorithm == ClipAlgorithm::norm);
}

void Fabric::call_with(std::string_view name, const EventArguments& arguments) {
  Impl& impl = *impl_;
  Dispatcher& hooks = impl.run.hooks;
  CustomEvent event = impl.event(name);
  const std::optional<Hook> hook = find_hook(name);
  if (hook) enter_hook(impl.run, *hook, arguments);
  StandardHook standard(impl.run, hook.value_or(Hook::on_init_start), arguments);
  for (const FabricCallback& each : impl.callbacks) {
    Dispatcher::CallbackScope scope(hooks, name,
                                    each.callback ? each.callback->callback.get() : nullptr);
    const EventHandler* handler =
        each.handlers == nullptr ? nullptr : each.handlers->find_handler(name);
    if (handler != nullptr) {
      impl.call_handler(*each.handlers, *handler, event, arguments);
    } else if (hook && each.callback && has_hook(*each.callback, *hook)) {
      standard.call(*each.callback->callback);
    }
  }
  // By index: a handler may set up another one.
  for (size_t i = 0; i < impl.modules.size(); ++i) {
    const Impl::SetUp each = impl.modules[i];
    Dispatcher::ModuleScope scope(hooks, name);
    const EventHandler* handler =
        each.handlers == nullptr ? nullptr : each.handlers->find_handler(name);
    if (handler != nullptr) {
      impl.call_handler(*each.handlers, *handler, event, arguments);
    } else if (hook && each.mask.has(*hook)) {
      standard.call(*each.module);
    }
  }
  if (hook) leave_hook(impl.run, *hook);
}

void Fabric::log(const std::string& name, const LogValue& value, std::optional<int64_t> step) {
  log_dict({{name, value}}, step);
}

void Fabric::log_dict(const std::vector<std::pair<std::string, LogValue>>& values,
                      std::optional<int64_t> step) {
  Logger::Metrics metrics;
  for (const auto& [name, value] : values) {
    metrics.emplace_back(name, metric_scalar(name, value).number());
  }
  impl_->send(metrics, step.value_or(impl_->next_log_step));
}

void Fabric::stepped(size_t index) {
  RunState& state = impl_->run.state;
  for (Progress* progress : {&state.optimizer_step, &state.manual_step}) {
    progress->ready();
    progress->started();
    progress->processed();
    progress->completed();
  }
  ++state.batches_that_stepped;
  call("on_after_optimizer_step", arg("optimizer_idx", static_cast<int64_t>(index)),
       arg("optimizer", std::ref(*impl_->run.optimizers[index])));
}

// ---- Where the loop stands

int64_t Fabric::global_step() const {
  return impl_->run.state.optimizer_step.total.completed;
}
bool Fabric::should_stop() const {
  return impl_->run.state.should_stop;
}
bool Fabric::take_request(RequestKind kind) {
  return impl_->run.take_request(kind);
}
const MetricDict& Fabric::callback_metrics() const {
  return impl_->trainer.callback_metrics();
}
const at::Device& Fabric::device() const {
  return impl_->run.device;
}
const std::vector<std::shared_ptr<Logger>>& Fabric::loggers() const {
  return impl_->run.options.loggers;
}
Trainer& Fabric::trainer() const {
  return impl_->trainer;
}

uint64_t Fabric::seed_everything(uint64_t seed) {
  seed_generators(seed);
  return seed;
}

}  // namespace grapnel
