// The run behind a Trainer: the parts that its loops share, and the order in which they are used,
// from configure_callbacks to on_run_end.
//
// Internal to core. Each part with state is a class in its own file; Run makes them, and
// Trainer's public functions look into it.
#pragma once

#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "grapnel/dispatcher.h"
#include "grapnel/grad_scaler.h"
#include "grapnel/lease.h"
#include "grapnel/trainer.h"
#include "loggers/logger_set.h"
#include "model/weight_leases.h"
#include "run/checkpointing.h"
#include "run/effective_options.h"
#include "run/monitor_check.h"
#include "run/phase_clock.h"
#include "run/profile_report.h"
#include "run/requests.h"
#include "run/run_metrics.h"

namespace grapnel {

struct Loops;

class Run {
 public:
  Run(Trainer& trainer, TrainerOptions options, std::vector<CallbackHandle> callbacks);
  ~Run();

  // The run behind a trainer.
  static Run& of(const Trainer& trainer) { return *trainer.run_; }
  // Puts another run behind it, and returns the one that was there.
  static std::unique_ptr<Run> exchange(Trainer& trainer, std::unique_ptr<Run> run);

  // One fit, validate, test or predict, from configure_callbacks to on_run_end. module_given: the
  // caller gave one, rather than mean the module of the last run.
  void execute(RunKind kind, const ModuleRef& module, Data data, const RunOptions& options,
               bool module_given);

  // ---- Parts
  Trainer& trainer;
  TrainerOptions options;
  RunLimits limits;
  RunState state;
  at::Device device;
  const Clock* clock;
  std::vector<CallbackHandle> callbacks;  // in the order of their hooks
  Dispatcher hooks;
  ProfileReport profile;
  PhaseClock phases{*clock};
  Requests requests;
  LoggerSet loggers;
  RunMetrics metrics;
  LogTarget* log_target = &metrics;
  MonitorCheck monitor_check{trainer, metrics};
  Checkpointing checkpointing{*this};
  Leases leases;
  WeightLeases weight_leases;  // what is in the place of the module's weights for a while
  Lease toggled;               // of the parameters that toggle_optimizer froze

  Module* module = nullptr;
  ModuleMask mask;
  Data data;  // its methods: those that this instance of the data module has
  std::vector<std::shared_ptr<Optimizer>> optimizers;
  std::vector<SchedulerConfig> schedulers;
  std::unique_ptr<GradScaler> scaler;  // of precision 16-mixed
  std::unique_ptr<Loops> loops;

  // ---- Where it is
  // From the beginning of execute() to its end; in a trial, all the time.
  bool executing = false;
  // Also in a loop of the user's own, between its calls.
  bool is_running() const { return executing || requests.own_loop(); }
  // Throws ConfigError unless a run can begin.
  void refuse_while_running() const;
  bool fitting() const { return state.kind == RunKind::fit; }
  int64_t current_epoch() const { return state.epoch.current.completed; }
  int64_t global_step() const;
  Event event() { return {trainer, *module}; }

  // ---- The module and the data
  // Makes a module the one that callbacks see.
  void adopt(const ModuleRef& ref);
  // Makes the module and the data its own again, after another trainer's run of them.
  void reclaim();
  // The module is being destroyed: what was leased of it needs no undoing.
  void forget_module() noexcept;
  bool has(ModuleMethod method) const { return mask.has(method); }
  // Throws ConfigError when the module lacks a function that Trainer's function `run` needs.
  void require(ModuleMethod method, std::string_view name, std::string_view run) const;
  // Where a data function comes from: the data module's or the module's own.
  bool data_function_defined(DataMethod method) const;
  bool data_module_has(DataMethod method) const {
    return data.module != nullptr && data.methods.test(static_cast<size_t>(method));
  }
  // Passes a batch through the transfer hooks to the device (transfer.cpp).
  Batch transfer(Batch batch, int64_t dataloader_idx);

  // Calls a function of the module with its name as the running one.
  template <class F>
  decltype(auto) in_module(std::string_view name, F&& call) {
    Dispatcher::ModuleScope scope(hooks, name);
    const ProfilerSpan span(profile.profiler(), "module", name);
    return call();
  }
  // The same for a step, which computes in the precision of the run.
  template <class F>
  decltype(auto) in_step(std::string_view name, F&& call) {
    const PrecisionScope precision(options.precision, device);
    return in_module(name, call);
  }
  // Calls a function of the data, the module's own or a data module's.
  template <class F>
  decltype(auto) in_data(std::string_view name, F&& call) {
    Dispatcher::ModuleScope scope(hooks, name);
    const ProfilerSpan span(profile.profiler(), "data", name);
    return call();
  }

  // ---- Changes by callbacks and modules
  void log(const std::string& name, const LogValue& value, const LogOptions& log_options);
  void set_max_epochs(int64_t n);

 private:
  void prepare(RunKind kind, const ModuleRef& module, Data data);
  void decide_length();
  // run_setup.cpp
  void adopt_data(Data data);
  void attach_module_callbacks();
  void detach_module_callbacks();
  void setup_data_and_hooks();
  void configure_optimizers();
  void give_hyper_parameters_to_loggers();

  void run_stage();
  void run_sanity_check();
  void finish();
  void tear_down();
  void fail(const std::exception_ptr& exception);
  void end(Outcome outcome, const std::string& reason);
  void log_results() const;

  bool max_epochs_known_ = false;
  // By the module's, with their places.
  std::vector<std::pair<size_t, CallbackHandle>> replaced_callbacks_;
};

// Thrown in on_fit_start and its like by a search that was not made for a run: the run ends at
// once, as if all of it had been done.
struct SearchOnly {};

}  // namespace grapnel
