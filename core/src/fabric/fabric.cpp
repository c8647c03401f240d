#include "grapnel/fabric.h"

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>

#include "fabric/loop_position.h"
#include "fabric/standard_hook.h"
#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "grapnel/base/text.h"
#include "grapnel/callbacks/checkpoint.h"
#include "metrics/log_rules.h"
#include "optim/clip_gradients.h"
#include "run/learning_rates.h"
#include "run/run.h"
#include "values/exception_text.h"
#include "values/rng.h"

namespace grapnel {

namespace {

TrainerOptions options_of_fabric(const FabricOptions& given) {
  TrainerOptions options;
  options.max_epochs = -1;
  options.enable_checkpointing =
      std::any_of(given.callbacks.begin(), given.callbacks.end(), [](const FabricCallback& each) {
        return dynamic_cast<const Checkpoint*>(each.callback.callback.get()) != nullptr;
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
  for (const FabricCallback& each : callbacks) handles.push_back(each.callback);
  return handles;
}

// An object that has handlers but no hooks, in the list of callbacks.
class HandlersOnly final : public Callback {
 public:
  explicit HandlersOnly(const EventHandlers& owner) : owner_(owner) {}
  std::string type_name() const override { return owner_.owner_name(); }

 private:
  const EventHandlers& owner_;
};

CallbackHandle handle_of(const EventHandlers* object) {
  if (object == nullptr) refuse_null_callback();
  return {std::make_shared<HandlersOnly>(*object)};
}

bool counts_epochs(const CallFilter& filter) {
  const auto in_epochs = [](const std::optional<CallSpan>& span) {
    return span && span->unit == CallSpan::Unit::epochs;
  };
  return in_epochs(filter.every) || in_epochs(filter.after) || in_epochs(filter.first);
}

}  // namespace

FabricCallback::FabricCallback(std::shared_ptr<EventHandlers> object)
    : callback(handle_of(object.get())), handlers(std::move(object)) {}

FabricCallback::FabricCallback(CallbackHandle handle)
    : callback(std::move(handle)),
      handlers(std::dynamic_pointer_cast<EventHandlers>(callback.callback)) {}

struct Fabric::Impl : LogTarget {
  // The module of events until one is set up.
  class NoModule : public Module {
   public:
    std::string type_name() const override { return "no module"; }
  };
  struct SetUp {
    Module* module;
    ModuleMask mask;
    EventHandlers* handlers;  // of the module; may be null
  };

  // A callback as call_with needs it.
  struct Called {
    uint32_t index;  // in the dispatcher
    HookMask hooks;
    bool counts_epochs;  // has a filter that does
    Callback* callback;
    std::shared_ptr<EventHandlers> handlers;  // may be null
  };

  explicit Impl(const FabricOptions& options)
      : trainer(options_of_fabric(options), handles_of(options.callbacks)),
        run(Run::of(trainer)),
        position(run.state, run.hooks.position) {
    for (const FabricCallback& each : options.callbacks) add(each);
    run.state.kind = RunKind::fit;
    run.state.stage = Stage::train;
    run.state.status = Status::running;
    run.requests.enter(Requests::Place::own_loop);
    run.log_target = this;
    run.profile.start();
  }
  void add(const FabricCallback& callback);

  CustomEvent event(std::string_view name) {
    if (run.module == nullptr) run.adopt(ModuleRef(no_module));
    return {run.event(), name};
  }
  void send(const Logger::Metrics& metrics, int64_t step);
  // What hooks log goes to the loggers at once.
  void log(const LogCall& call) override;
  void call(std::string_view name, const EventArguments& arguments);
  void call_handler(const EventHandlers& owner, const EventHandler& handler, CustomEvent& event,
                    const EventArguments& arguments);
  void require_epoch(const Called& called, std::string_view name, std::optional<Hook> hook);

  std::vector<Called> callbacks;  // in the order they were given
  std::vector<SetUp> modules;
  NoModule no_module;
  Trainer trainer;
  Run& run;
  LoopPosition position;
  int64_t next_log_step = 0;
  bool loggers_started = false;
};

void Fabric::Impl::add(const FabricCallback& callback) {
  const CallbackHandle& handle = callback.callback;
  const auto& all = trainer.callbacks();
  const auto place = std::find_if(all.begin(), all.end(), [&](const CallbackHandle& each) {
    return each.callback == handle.callback;
  });
  const auto index = static_cast<uint32_t>(place - all.begin());
  if (handle.filter && handle.filter->last) {
    throw ConfigError::of(
        "last",
        "{}: the filter 'last' has no meaning in a Fabric, which doesn't know where the loop "
        "ends; leave it out",
        run.hooks.label(index));
  }
  HookMask hooks = handle.callback->wanted(handle.overridden);
  for (size_t i = 0; i < kHookCount; ++i) hooks.set(i, hooks.test(i) && handle.overridden.test(i));
  callbacks.push_back({index, hooks, handle.filter && counts_epochs(*handle.filter),
                       handle.callback.get(), callback.handlers});
}

void Fabric::Impl::send(const Logger::Metrics& metrics, int64_t step) {
  if (!loggers_started) run.loggers.start();
  loggers_started = true;
  run.loggers.log_metrics(metrics, step);
  next_log_step = step + 1;
}

void Fabric::Impl::log(const LogCall& call) {
  const double number = metric_scalar(call.name, call.value).number();
  trainer.set_callback_metric(call.name, number);
  send({{call.name, number}}, call.global_step);
}

void Fabric::Impl::call_handler(const EventHandlers& owner, const EventHandler& handler,
                                CustomEvent& event, const EventArguments& arguments) {
  if (handler.call == nullptr) {
    log_warning("skipping {}.{}: it is not callable", owner.owner_name(), handler.event);
    return;
  }
  handler.call(event, bind_arguments(handler, owner.owner_name(), arguments));
}

Fabric::Fabric(FabricOptions options) {
  for (const auto& logger : options.loggers) {
    if (logger == nullptr) throw ConfigError({}, "a logger is null", "loggers");
  }
  if (options.seed) seed_everything(*options.seed);
  impl_ = std::make_unique<Impl>(options);
}

Fabric::~Fabric() {
  // Before its callbacks go, which may hold some. Those on a module that is gone have ended with
  // it.
  impl_->run.leases.end_all();
  if (!impl_->loggers_started) return;
  try {
    impl_->run.loggers.finalize("success");
  } catch (...) {
    log_error("a logger failed while its Fabric was ending: {}",
              exception_text(std::current_exception()));
  }
}

// ---- Setting up

size_t Fabric::add_module(const ModuleRef& ref, EventHandlers* handlers,
                          const std::vector<std::shared_ptr<Optimizer>>& optimizers) {
  Run& run = impl_->run;
  Module& module = *ref.module;
  for (const Impl::SetUp& other : impl_->modules) {
    if (other.module == &module) {
      throw ConfigError::of("", "{} is set up already", module.type_name());
    }
  }
  if (module.has_trainer() && Run::of(module.trainer()).executing) {
    throw ConfigError::of(
        "", "{} is in a trainer's {} now; set it up with a Fabric before that begins or after it",
        module.type_name(), to_string(Run::of(module.trainer()).state.kind));
  }
  std::vector<const c10::TensorImpl*> own;
  for (const StateEntry& entry : module.state_view().parameters()) {
    own.push_back(entry.tensor.unsafeGetTensorImpl());
  }
  for (const auto& optimizer : optimizers) {
    if (optimizer == nullptr) throw ConfigError({}, "an optimizer to set up is null");
    if (std::count(optimizers.begin(), optimizers.end(), optimizer) > 1 ||
        std::count(run.optimizers.begin(), run.optimizers.end(), optimizer) > 0) {
      throw ConfigError::of("", "{} is set up already", optimizer->type_name());
    }
    for (const ParamGroup& group : optimizer->groups()) {
      for (const at::Tensor& parameter : group.params) {
        if (std::find(own.begin(), own.end(), parameter.unsafeGetTensorImpl()) != own.end()) {
          continue;
        }
        throw ConfigError::of(
            "",
            "{} has a parameter of shape [{}] that is not one of {}'s; make it from the "
            "parameters of the module it is set up with",
            optimizer->type_name(), fmt::join(parameter.sizes(), ", "), module.type_name());
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
    throw ConfigError({}, "backward needs a scalar loss with a gradient graph, found " + what);
  };
  if (!loss.defined()) refuse("an undefined tensor");
  if (loss.numel() != 1) refuse(EventValue(loss).describe() + "; reduce it first, with .mean()");
  if (!loss.requires_grad()) {
    refuse("one without gradients: computed under NoGradGuard, or from nothing that requires them");
  }
  loss.backward();
}

void Fabric::clip_gradients(const FabricOptimizer& optimizer, double clip_val,
                            ClipAlgorithm algorithm) {
  if (!(clip_val > 0)) {
    throw ConfigError::of("clip_val", "clip_val={} must be above 0", clip_val);
  }
  grapnel::clip_gradients(optimizer.optimizer(), clip_val, algorithm == ClipAlgorithm::norm);
}

void Fabric::Impl::require_epoch(const Called& called, std::string_view name,
                                 std::optional<Hook> hook) {
  if (!called.counts_epochs || run.hooks.position.epoch > 0) return;
  if (hook && !is_within_training_batch(*hook) && *hook != Hook::on_train_epoch_end) return;
  throw ConfigError::of(
      "",
      "{}: its filter counts epochs, but {} was called before any epoch began; call "
      "on_train_epoch_start for each of them",
      run.hooks.label(called.index), name);
}

void Fabric::Impl::call(std::string_view name, const EventArguments& arguments) {
  CustomEvent custom = event(name);
  const std::optional<Hook> hook = find_hook(name);
  // Like the hook setup, it is never filtered.
  const std::optional<Hook> filtered_as = name == "on_after_setup" ? Hook::setup : hook;
  if (hook) position.enter(*hook, arguments);
  StandardHook standard(run, hook.value_or(Hook::on_init_start), arguments);
  for (const Called& each : callbacks) {
    const EventHandler* handler =
        each.handlers == nullptr ? nullptr : each.handlers->find_handler(name);
    if (handler == nullptr && !(hook && each.hooks.test(*hook))) continue;
    require_epoch(each, name, filtered_as);
    run.hooks.call_named(each.index, name, filtered_as, [&] {
      if (handler == nullptr) return standard.call(*each.callback);
      call_handler(*each.handlers, *handler, custom, arguments);
    });
  }
  // By index: a handler may set up another one.
  for (size_t i = 0; i < modules.size(); ++i) {
    const SetUp each = modules[i];
    const EventHandler* handler =
        each.handlers == nullptr ? nullptr : each.handlers->find_handler(name);
    if (handler == nullptr && !(hook && each.mask.has(*hook))) continue;
    run.hooks.call_module_named(name, hook, [&] {
      if (handler == nullptr) return standard.call(*each.module);
      call_handler(*each.handlers, *handler, custom, arguments);
    });
  }
  if (hook) position.leave(*hook);
}

void Fabric::call_with(std::string_view name, const EventArguments& arguments) {
  if (impl_->run.hooks.current() == nullptr) return impl_->call(name, arguments);
  try {
    impl_->call(name, arguments);
  } catch (const ArgumentError& error) {
    throw ConfigError(error);  // now a failure of the calling callback
  }
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

ClosureResult Fabric::update(Optimizer& optimizer, size_t index, const Closure& closure) {
  FactoredRates rates(impl_->run, optimizer, index);
  if (!closure) {
    rates.apply();
    return optimizer.step();
  }
  return optimizer.step([&] {
    rates.put_back();
    ClosureResult result = closure();
    rates.apply();
    return result;
  });
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

// ---- State of the loop

int64_t Fabric::global_step() const {
  return impl_->run.state.optimizer_step.total.completed;
}
bool Fabric::should_stop() const {
  return impl_->run.state.should_stop;
}
bool Fabric::take_request(RequestKind kind) {
  return impl_->run.requests.take(kind);
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
Profile Fabric::profile() const {
  return impl_->run.profile.profile();
}
Trainer& Fabric::trainer() const {
  return impl_->trainer;
}

uint64_t Fabric::seed_everything(uint64_t seed) {
  seed_generators(seed);
  return seed;
}

}  // namespace grapnel
