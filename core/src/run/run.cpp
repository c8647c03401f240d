#include "run/run.h"

#include <ATen/Context.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/anomaly_mode.h>

#include <algorithm>

#include "dispatch/callback_order.h"
#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "run/loops.h"
#include "run/run_scope.h"
#include "values/exception_text.h"
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
        "benchmark=true lets cuDNN choose algorithms by their speed, which contradicts "
        "deterministic=true; leave out one of them");
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
    return {unqualified_name(typeid(error)), exception_text(error), 0};
  } catch (...) {
    return {};
  }
}

}  // namespace

Run::Run(Trainer& owner, TrainerOptions given, std::vector<CallbackHandle> base)
    : trainer(owner),
      options(std::move(given)),
      limits(limits_of(options)),
      device(options.device),
      clock(options.clock != nullptr ? options.clock : &system_clock()),
      callbacks(ordered(std::move(base))),
      profile(hooks, *clock, options.profiler),
      requests(state, hooks, owner.signal_),
      loggers(options.loggers),
      metrics(state, options, loggers),
      loops(std::make_unique<Loops>(*this)) {
  check_state_keys(callbacks);
  hooks.assign(callbacks);
  state.num_training_batches = kUnlimited;
  state.max_epochs = options.max_epochs.value_or(-1);
  state.max_steps = options.max_steps;
  state.min_steps = options.min_steps.value_or(0);
  state.accumulate_grad_batches = options.accumulate_grad_batches;
}

Run::~Run() = default;

std::unique_ptr<Run> Run::exchange(Trainer& trainer, std::unique_ptr<Run> run) {
  return std::exchange(trainer.run_, std::move(run));
}

int64_t Run::global_step() const {
  if (module == nullptr || module->automatic_optimization) {
    return state.optimizer_step.total.completed;
  }
  return state.manual_step.total.completed;
}

void Run::log(const std::string& name, const LogValue& value, const LogOptions& log_options) {
  log_target->log({hooks.running(), name, value, log_options, global_step()});
}

void Run::set_max_epochs(int64_t n) {
  state.max_epochs = n;
  max_epochs_known_ = true;
}

void Run::refuse_while_running() const {
  if (!executing) return;
  throw ConfigError(
      {}, fmt::format("this trainer is already running ({0}), so it can't begin another run; to "
                      "validate within a fit, call request(RequestKind::evaluate), and for "
                      "anything else use another Trainer or wait until {0} has returned",
                      to_string(state.kind)));
}

// ---- The order of a run

void Run::execute(RunKind kind, const ModuleRef& ref, Data given, const RunOptions& run_options,
                  bool module_given) {
  if (requests.own_loop()) {
    throw ConfigError({},
                      "this trainer belongs to a Fabric, whose loop is your own; make a Trainer to "
                      "fit, validate, test or predict");
  }
  const RunScope scope(*this, *ref.module, given.module);
  const OnceScope once;
  prepare(kind, ref, std::move(given));
  try {
    checkpointing.choose(run_options, module_given);
    attach_module_callbacks();
    loops->of(kind).check();
    setup_data_and_hooks();
    checkpointing.read();
    metrics.reset();
    checkpointing.restore_module_and_callbacks();
    module->to(device);
    if (fitting()) {
      configure_optimizers();
      checkpointing.begin_optimizers();
      Event event = this->event();
      checkpointing.call_fit_start([&] { hooks.on_fit_start(event); });
    }
    checkpointing.restore_training();
    give_hyper_parameters_to_loggers();  // they write them, which a refused resume must not
    run_stage();
    finish();
    if (run_options.verbose) log_results();
  } catch (const SearchOnly&) {
    tear_down();
    end(Outcome::finished, "");
  } catch (...) {
    fail(std::current_exception());
    throw;
  }
}

void Run::prepare(RunKind kind, const ModuleRef& ref, Data given) {
  Loop& loop = loops->of(kind);
  state.kind = kind;
  state.status = Status::running;
  state.stage = loop.stage();
  loop.begin();
  loops->fit.set_gradients_of_batch(false);
  loops->fit.set_skip_backward(false);
  if (fitting()) monitor_check.begin_fit();
  requests.begin_run();
  metrics.begin_run();
  checkpointing.begin_run();

  adopt(ref);
  adopt_data(std::move(given));
  hooks.set_module(module, mask);
  loops->forget_loaders();

  if (options.seed.has_value()) seed_generators(*options.seed);
  set_algorithms(options);
  if (fitting() && options.precision == Precision::f16_mixed && scaler == nullptr) {
    scaler = std::make_unique<GradScaler>(device);
  }
  profile.start();
  phases.reset();
  if (fitting()) decide_length();
}

void Run::decide_length() {
  if (!max_epochs_known_) {
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
    max_epochs_known_ = true;
  }
  state.min_epochs = options.min_epochs.value_or(options.min_steps.has_value() ? 1 : 0);
}

void Run::run_stage() {
  if (fitting()) run_sanity_check();
  const AnomalyScope anomaly(fitting() && options.detect_anomaly);
  loops->of(state.kind).run();
}

namespace {

// Holds what a sanity check must not touch, and puts it back on every way out: random numbers,
// metrics, and the counts of validations. In a resumed run they are the checkpoint's.
class HeldOverSanityCheck {
 public:
  explicit HeldOverSanityCheck(Run& run)
      : run_(run),
        metrics_(run.metrics.hide()),
        val_batch_(run.state.val_batch),
        val_is_last_batch_(run.state.val_is_last_batch),
        validated_at_batch_(run.state.validated_at_batch) {}
  ~HeldOverSanityCheck() {
    run_.metrics.show(std::move(metrics_));
    run_.state.val_batch = val_batch_;
    run_.state.val_is_last_batch = val_is_last_batch_;
    run_.state.validated_at_batch = validated_at_batch_;
  }
  HeldOverSanityCheck(const HeldOverSanityCheck&) = delete;
  HeldOverSanityCheck& operator=(const HeldOverSanityCheck&) = delete;

 private:
  Run& run_;
  GeneratorScope generators_;
  MetricViews metrics_;
  Progress val_batch_;
  bool val_is_last_batch_;
  int64_t validated_at_batch_;
};

}  // namespace

void Run::run_sanity_check() {
  if (!trainer.validation_enabled() || limits.sanity_steps == 0) return;
  if (loops->fit.resumes_inside_epoch()) return;
  const Stage stage = state.stage;
  {
    const PhaseClock::Span phase(phases, Phase::validation);
    const HeldOverSanityCheck held(*this);
    state.stage = Stage::sanity_check;
    loops->validation.reset_progress();
    Event event = this->event();
    hooks.on_sanity_check_start(event);
    loops->validation.run();
    hooks.on_sanity_check_end(event);
  }
  state.stage = stage;
}

// ---- The ways in which it ends

void Run::finish() {
  metrics.flush();
  checkpointing.finish();
  if (fitting()) {
    Event event = this->event();
    hooks.on_fit_end(event);
  }
  tear_down();
  const bool stopped = fitting() && state.should_stop;
  end(stopped ? Outcome::stopped : Outcome::finished,
      stopped && requests.stop().has_value() ? requests.stop()->reason : "");
}

void Run::tear_down() {
  checkpointing.finish();
  if (data.module != nullptr) in_data("teardown", [&] { data.module->teardown(state.kind); });
  StageEvent event{this->event(), state.kind};
  hooks.teardown(event);
  checkpointing.finish();
  loggers.finalize("success");
  leases.end_all();
}

void Run::fail(const std::exception_ptr& exception) {
  const ExceptionFacts facts = facts_of(exception);
  // A failure from here on must hide neither the first one nor keep the others from cleaning up;
  // the dispatcher guards each hook of the outcome stage.
  const auto guarded = [&](const char* what, auto&& call) {
    try {
      call();
    } catch (const std::exception& error) {
      log_error("{} failed while the run was ending because of another error: {}", what,
                exception_text(error));
    } catch (...) {
      log_error("{} failed while the run was ending because of another error", what);
    }
  };
  leases.end_all();
  guarded("a checkpoint", [&] { checkpointing.finish(); });
  state.status = Status::interrupted;
  if (facts.signal != 0) {
    SignalEvent event{this->event(), facts.signal};
    hooks.on_signal(event);
  }
  ExceptionEvent exception_event{this->event(), exception, facts.message, facts.type};
  hooks.on_exception(exception_event);
  // Only now that everything is saved: whoever reads the log may be slow, or gone.
  if (facts.signal != 0) log_info("{}: the run was shut down", facts.message);
  if (data.module != nullptr) {
    guarded("the data module's on_exception", [&] { data.module->on_exception(exception); });
  }
  guarded("a checkpoint", [&] { checkpointing.rescue(); });
  guarded("a logger", [&] { loggers.finalize("failed"); });
  end(facts.signal != 0 ? Outcome::interrupted : Outcome::failed, facts.message);
}

// The last of every way.
void Run::end(Outcome outcome, const std::string& reason) {
  RunEnd event{this->event(), outcome, reason};
  hooks.on_run_end(event);
  phases.stop();
  profile.finish(trainer);
  checkpointing.forget_file();
  const bool in_order = outcome == Outcome::finished || outcome == Outcome::stopped;
  if (in_order) state.status = Status::finished;
  // After a signal the stage still says where it arrived.
  if (outcome != Outcome::interrupted) state.stage = Stage::none;
}

// The results of validate and test, one line per data loader.
void Run::log_results() const {
  if (state.kind != RunKind::validate && state.kind != RunKind::test) return;
  const auto& results =
      state.kind == RunKind::test ? loops->test.results() : loops->validate.results();
  for (size_t loader = 0; loader < results.size(); ++loader) {
    std::string line;
    for (const MetricDict::Entry& entry : results[loader]) {
      line +=
          fmt::format("{}{}={:.6g}", line.empty() ? "" : ", ", entry.name, entry.value.number());
    }
    const std::string which =
        results.size() > 1 ? fmt::format(", data loader {}", loader) : std::string();
    log_info("{}{}: {}", to_string(state.kind), which,
             line.empty() ? "no metrics were logged" : line);
  }
}

}  // namespace grapnel
