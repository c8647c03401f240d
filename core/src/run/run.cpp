#include "run/run.h"

#include <ATen/Context.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/anomaly_mode.h>

#include <algorithm>

#include "dispatch/callback_order.h"
#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "run/evaluation_loop.h"
#include "run/fit_loop.h"
#include "run/optimization.h"
#include "run/prediction_loop.h"
#include "values/rng.h"
#include "values/type_name.h"

namespace grapnel {

namespace {

// Anomaly mode of autograd for a scope.
class AnomalyScope {
 public:
  explicit AnomalyScope(bool enabled) : before_(torch::autograd::AnomalyMode::is_enabled()) {
    if (enabled) torch::autograd::AnomalyMode::set_enabled(true);
  }
  ~AnomalyScope() { torch::autograd::AnomalyMode::set_enabled(before_); }
  AnomalyScope(const AnomalyScope&) = delete;
  AnomalyScope& operator=(const AnomalyScope&) = delete;

 private:
  bool before_;
};

void set_algorithms(const TrainerOptions& options) {
  at::Context& context = at::globalContext();
  const auto deterministic = options.deterministic;
  if (deterministic.has_value()) {
    const bool on = *deterministic != Deterministic::off;
    context.setDeterministicAlgorithms(on, *deterministic == Deterministic::warn);
    if (on) context.setBenchmarkCuDNN(false);
  }
  if (!options.benchmark.has_value()) return;
  context.setBenchmarkCuDNN(*options.benchmark);
  if (*options.benchmark && deterministic.has_value() && *deterministic != Deterministic::off) {
    log_warning(
        "benchmark=true lets cuDNN choose algorithms by their speed, which "
        "deterministic=true doesn't allow for; leave out one of them");
  }
}

struct ExceptionFacts {
  std::string type = "unknown";
  std::string message = "an exception that is not derived from std::exception";
  int signal = 0;
};

ExceptionFacts facts_of(const std::exception_ptr& pointer) {
  try {
    std::rethrow_exception(pointer);
  } catch (const Interrupted& error) {
    return {"Interrupted", error.what(), error.signal_number};
  } catch (const std::exception& error) {
    return {unqualified_name(typeid(error)), error.what(), 0};
  } catch (...) {
    return {};
  }
}

}  // namespace

Run::Run(Trainer& owner, TrainerOptions given, std::vector<CallbackHandle> base)
    : trainer(owner),
      options(std::move(given)),
      limits(limits_of(options)),
      callbacks(ordered(std::move(base))),
      device(options.device),
      clock(options.clock != nullptr ? options.clock : &system_clock()),
      fit(std::make_unique<FitLoop>(*this)),
      val_loop(std::make_unique<EvaluationLoop>(*this, RunKind::fit)),
      validate_loop(std::make_unique<EvaluationLoop>(*this, RunKind::validate)),
      test_loop(std::make_unique<EvaluationLoop>(*this, RunKind::test)),
      predict_loop(std::make_unique<PredictionLoop>(*this)),
      signal(owner.signal_) {
  check_state_keys(callbacks);
  hooks.assign(callbacks);
  state.num_training_batches = kUnlimited;
  state.max_epochs = options.max_epochs.value_or(-1);
  state.max_steps = options.max_steps;
  state.min_steps = options.min_steps.value_or(0);
  state.accumulate_grad_batches = options.accumulate_grad_batches;
}

Run::~Run() = default;

int64_t Run::global_step() const {
  if (module == nullptr || module->automatic_optimization) {
    return state.optimizer_step.total.completed;
  }
  return state.manual_step.total.completed;
}

bool Run::fit_should_accumulate() const {
  return fit->should_accumulate();
}

bool Run::data_function_defined(DataMethod method) const {
  if (data.module != nullptr) return data_mask.test(static_cast<size_t>(method));
  return mask.has(method);
}

void Run::execute(RunKind kind, const ModuleRef& ref, Data given, const RunOptions& run_options,
                  bool module_given) {
  if (log_directly != nullptr) {
    throw ConfigError({},
                      "this trainer belongs to a Fabric, whose loop is your own; make a Trainer to "
                      "fit, validate, test or predict");
  }
  const OnceScope once;
  prepare(kind, ref, std::move(given));
  try {
    checkpoint_path = select_checkpoint(run_options, module_given);
    attach_module_callbacks();
    verify_configuration();
    setup_data_and_hooks();
    if (!checkpoint_path.empty()) load_checkpoint(checkpoint_path);
    restore_module_and_callbacks();
    reset_results();
    reset_metrics();
    module->to(device);
    if (fitting()) {
      configure_optimizers();
      resumable = checkpoint_path.empty();
      Event event = this->event();
      hooks.on_fit_start(event);
    }
    for (const auto& logger : options.loggers) {
      StateDict hyper = module->hyper_parameters;
      if (data.module != nullptr) {
        for (const auto& [key, value] : data.module->hyper_parameters) hyper[key] = value;
      }
      if (!hyper.empty() && options.enable_autolog_hparams) logger->log_hyperparams(hyper);
      logger->save();
    }
    restore_training_state();
    finish_restore();
    for (const StateEntry& entry : module->state_view().parameters()) {
      entry.tensor.mutable_grad().reset();
    }
    restore_gradients();
    resumable = fitting();
    run_stage();
    finish();
    if (run_options.verbose) log_results();
  } catch (const SearchOnly&) {
    finish_search();
  } catch (...) {
    fail(std::current_exception());
    throw;
  }
}
void Run::adopt(const ModuleRef& ref) {
  if (module != nullptr && module != ref.module) module->trainers_.remove(trainer);
  module = ref.module;
  mask = ref.module->implemented(ref.overridden);
  module->trainers_.set_current(trainer);
}

void Run::forget_module() noexcept {
  leases.drop_all();
  weight_leases.forget();
  module = nullptr;
  hooks.set_module(nullptr, {});
}

void Run::prepare(RunKind kind, const ModuleRef& ref, Data given) {
  state.kind = kind;
  state.status = Status::running;
  state.stage = kind == RunKind::fit        ? Stage::train
                : kind == RunKind::validate ? Stage::validate
                : kind == RunKind::test     ? Stage::test
                                            : Stage::predict;
  if (kind == RunKind::fit) {
    state.should_stop = false;
    stop.reset();
    fit->begin();
    monitor_check.begin_fit();
  }
  resumable = false;
  gradients_of_batch = false;
  // What a run that failed had not reduced must not go into this one's metrics.
  train_metrics.clear();
  val_metrics.clear();
  eval_metrics.clear();
  signal = 0;
  pending.clear();
  granted.clear();
  loaded.reset();
  checkpoint_path.clear();

  adopt(ref);
  if (data.module != nullptr && data.module != given.module) {
    data.module->trainers_.remove(trainer);
  }
  data = std::move(given);
  // A single loader stands for whatever the run is about.
  if (kind != RunKind::fit && data.loaders && data.eval.empty() && data.train != nullptr)
    data.eval = {data.train};
  data_mask = data.module != nullptr ? data.module->implemented(data.methods) : DataMask{};
  if (data.module != nullptr) data.module->trainers_.set_current(trainer);
  hooks.set_module(module, mask);
  fit->forget_loaders();
  val_loop->forget_loaders();
  validate_loop->forget_loaders();
  test_loop->forget_loaders();

  if (options.seed.has_value()) seed_generators(*options.seed);
  set_algorithms(options);
  if (kind == RunKind::fit && options.precision == Precision::f16_mixed && scaler == nullptr) {
    scaler = std::make_unique<GradScaler>(device);
  }
  start_profile();
  if (kind != RunKind::fit) return;
  if (!max_epochs_known) {
    const bool bounded = std::any_of(callbacks.begin(), callbacks.end(), [](const auto& handle) {
      return handle.callback->bounds_run();
    });
    if (options.max_epochs.has_value()) {
      state.max_epochs = *options.max_epochs;
    } else if (state.max_steps == -1 && !bounded) {
      log_warning(
          "max_epochs was not set; the training ends after 1000 epochs. For a training "
          "without a limit set max_epochs=-1");
      state.max_epochs = 1000;
    } else {
      state.max_epochs = -1;
    }
    max_epochs_known = true;
  }
  state.min_epochs = options.min_epochs.value_or(options.min_steps.has_value() ? 1 : 0);
}

// Callbacks of the module take the place of the trainer's of the same class or a base of it.
void Run::attach_module_callbacks() {
  std::vector<CallbackHandle> own;
  if (has(ModuleMethod::configure_callbacks)) {
    own = in_module("configure_callbacks", [&] { return module->configure_callbacks(); });
  }
  if (own.empty()) return;
  std::vector<std::string> replaced;
  std::vector<CallbackHandle> merged;
  for (const CallbackHandle& handle : callbacks) {
    const bool overridden = std::any_of(own.begin(), own.end(), [&](const CallbackHandle& mine) {
      return handle.is_base_of(*mine.callback);
    });
    if (overridden) {
      replaced.push_back(handle.callback->type_name());
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

void Run::verify_configuration() {
  const auto require = [&](ModuleMethod method, const char* name, const char* run) {
    if (has(method)) return;
    throw ConfigError({}, fmt::format("{} has no {}, which {} needs; override it in the module",
                                      module->type_name(), name, run));
  };
  switch (state.kind) {
    case RunKind::validate:
      return require(ModuleMethod::validation_step, "validation_step", "validate");
    case RunKind::test:
      return require(ModuleMethod::test_step, "test_step", "test");
    case RunKind::fit:
      break;
    default:
      return;
  }
  require(ModuleMethod::training_step, "training_step", "fit");
  require(ModuleMethod::configure_optimizers, "configure_optimizers", "fit");
  const bool has_loader =
      data.loaders ? !data.eval.empty() : data_function_defined(DataMethod::val_dataloaders);
  const bool has_step = has(ModuleMethod::validation_step);
  if (has_loader && !has_step) {
    log_warning(
        "there is a val_dataloader, but the module has no validation_step; nothing is validated");
  }
  if (has_step && !has_loader) {
    log_warning(
        "the module has a validation_step, but there is no val_dataloader; nothing is "
        "validated");
  }
  if (module->automatic_optimization) return;
  if (options.gradient_clip_val.value_or(0) > 0) {
    throw ConfigError({},
                      fmt::format("gradient_clip_val={} has no effect under manual optimization; "
                                  "remove it and call clip_gradients in training_step",
                                  *options.gradient_clip_val),
                      "gradient_clip_val");
  }
  if (state.accumulate_grad_batches != 1) {
    throw ConfigError({},
                      fmt::format("accumulate_grad_batches={} has no effect under manual "
                                  "optimization; remove it and accumulate in training_step",
                                  state.accumulate_grad_batches),
                      "accumulate_grad_batches");
  }
}

void Run::setup_data_and_hooks() {
  if (data.module != nullptr && data_mask.test(static_cast<size_t>(DataMethod::prepare_data))) {
    in_data("prepare_data", [&] { data.module->prepare_data(); });
  }
  if (mask.has(DataMethod::prepare_data)) in_data("prepare_data", [&] { module->prepare_data(); });
  for (const auto& logger : options.loggers) logger->start();
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

void Run::run_stage() {
  if (state.kind == RunKind::validate) {
    eval_results = validate_loop->run();
  } else if (state.kind == RunKind::test) {
    eval_results = test_loop->run();
  } else if (state.kind == RunKind::predict) {
    predictions = predict_loop->run();
  } else {
    run_sanity_check();
    AnomalyScope anomaly(options.detect_anomaly);
    at::AutoGradMode grad(true);
    fit->run();
  }
}

void Run::run_sanity_check() {
  if (!trainer.validation_enabled() || limits.sanity_steps == 0) return;
  if (fit->resumes_inside_epoch()) return;
  GeneratorScope generators;  // the check must not change the training's random numbers
  const Stage stage = state.stage;
  state.stage = Stage::sanity_check;
  reset_results();
  reset_metrics();
  Event event = this->event();
  hooks.on_sanity_check_start(event);
  val_loop->run();
  hooks.on_sanity_check_end(event);
  reset_results();
  reset_metrics();
  val_loop->reset_progress();
  state.stage = stage;
}

void Run::finish() {
  flush();
  if (fitting()) {
    Event event = this->event();
    hooks.on_fit_end(event);
  }
  if (data.module != nullptr) in_data("teardown", [&] { data.module->teardown(state.kind); });
  StageEvent event{this->event(), state.kind};
  hooks.teardown(event);
  for (const auto& logger : options.loggers) logger->finalize("success");
  leases.end_all();
  const bool stopped = fitting() && state.should_stop;
  end(stopped ? Outcome::stopped : Outcome::finished,
      stopped && stop.has_value() ? stop->reason : "");
  state.status = Status::finished;
  state.stage = Stage::none;
}

void Run::finish_search() {
  if (data.module != nullptr) in_module("teardown", [&] { data.module->teardown(state.kind); });
  StageEvent event{this->event(), state.kind};
  hooks.teardown(event);
  for (const auto& logger : options.loggers) logger->finalize("success");
  leases.end_all();
  end(Outcome::finished, "");
  loaded.reset();
  state.status = Status::finished;
  state.stage = Stage::none;
}

// What validate and test found, one line per data loader.
void Run::log_results() const {
  if (state.kind != RunKind::validate && state.kind != RunKind::test) return;
  for (size_t loader = 0; loader < eval_results.size(); ++loader) {
    std::string line;
    for (const MetricDict::Entry& entry : eval_results[loader]) {
      line +=
          fmt::format("{}{}={:.6g}", line.empty() ? "" : ", ", entry.name, entry.value.number());
    }
    const std::string which =
        eval_results.size() > 1 ? fmt::format(", data loader {}", loader) : std::string();
    log_info("{}{}: {}", to_string(state.kind), which,
             line.empty() ? "no metrics were logged" : line);
  }
}

void Run::end(Outcome outcome, const std::string& reason) {
  RunEnd event{this->event(), outcome, reason};
  hooks.on_run_end(event);
  report_profile();
}

void Run::fail(const std::exception_ptr& exception) {
  const ExceptionFacts facts = facts_of(exception);
  // What fails now must not hide what failed first, nor keep the others from cleaning up; hooks of the
  // outcome stage are guarded one by one by the dispatcher.
  const auto guarded = [&](const char* what, auto&& call) {
    try {
      call();
    } catch (const std::exception& error) {
      log_error("{} failed while the run was ending because of another error: {}", what,
                error.what());
    } catch (...) {
      log_error("{} failed while the run was ending because of another error", what);
    }
  };
  leases.end_all();
  state.status = Status::interrupted;
  if (facts.signal != 0) {
    log_info("{}: the run is ended in order", facts.message);
    SignalEvent event{this->event(), facts.signal};
    hooks.on_signal(event);
  }
  ExceptionEvent exception_event{this->event(), exception, facts.message, facts.type};
  hooks.on_exception(exception_event);
  if (data.module != nullptr) {
    guarded("the data module's on_exception", [&] { data.module->on_exception(exception); });
  }
  for (const auto& logger : options.loggers) {
    guarded("a logger", [&] { logger->finalize("failed"); });
  }
  end(facts.signal != 0 ? Outcome::interrupted : Outcome::failed, facts.message);
  loaded.reset();
  // After a signal the stage tells where it came.
  if (facts.signal == 0) state.stage = Stage::none;
}

}  // namespace grapnel
