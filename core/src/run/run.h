// What a Trainer owns and its loops share: where the run stands, its parts, its metrics, its requests.
//
// Internal to core. The loops (loops/) are classes that drive a Run; everything that more than one of
// them needs is here, and the Trainer's public functions look into it.
#pragma once

#include <atomic>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dispatch/profiler.h"
#include "grapnel/dispatcher.h"
#include "grapnel/grad_scaler.h"
#include "grapnel/lease.h"
#include "grapnel/trainer.h"
#include "metrics/metric_store.h"
#include "model/weight_leases.h"
#include "run/loader_set.h"
#include "run/monitor_check.h"

namespace grapnel {

class FitLoop;
class EvaluationLoop;
class PredictionLoop;

// Effective limits, after fast_dev_run and overfit_batches had their say.
struct RunLimits {
  Amount train = 1.0;
  Amount val = 1.0;
  Amount test = 1.0;
  Amount predict = 1.0;
  int64_t sanity_steps = 2;           // -1: all
  std::optional<double> val_seconds;  // time-based validation
  ValCheckInterval val_check_interval = 1.0;
  std::optional<int64_t> check_val_every_n_epoch = 1;
};

class Run {
 public:
  Run(Trainer& trainer, TrainerOptions options, std::vector<CallbackHandle> callbacks);
  ~Run();

  // The run behind a trainer.
  static Run& of(Trainer& trainer) { return *trainer.run_; }

  // One fit, validate, test or predict, from configure_callbacks to on_run_end (run.cpp).
  void execute(RunKind kind, const ModuleRef& module, Data data, const RunOptions& options,
               bool module_given);

  // What a trainer runs now, and where it is kept, for a trial to stand there meanwhile (trial.h).
  static Run& of(const Trainer& trainer) { return *trainer.run_; }
  static std::unique_ptr<Run>& place_of(Trainer& trainer) { return trainer.run_; }

  // ---- Parts
  Trainer& trainer;
  TrainerOptions options;
  RunLimits limits;
  std::vector<CallbackHandle> callbacks;  // in the order of their hooks
  Dispatcher hooks;
  RunState state;
  Leases leases;
  at::Device device;
  const Clock* clock;

  Module* module = nullptr;
  ModuleMask mask;
  Data data;
  DataMask data_mask;
  std::vector<std::shared_ptr<Optimizer>> optimizers;
  std::vector<SchedulerConfig> schedulers;
  bool skip_backward = false;
  // The gradients hold something of the batch that is running, which a resumed run does again.
  bool gradients_of_batch = false;
  std::unique_ptr<GradScaler> scaler;  // of precision 16-mixed
  std::unique_ptr<Profiler> profiler;  // nullptr: none was asked for
  bool max_epochs_known = false;

  std::unique_ptr<FitLoop> fit;
  std::unique_ptr<EvaluationLoop> val_loop;  // validation inside fit
  std::unique_ptr<EvaluationLoop> validate_loop;
  std::unique_ptr<EvaluationLoop> test_loop;
  std::unique_ptr<PredictionLoop> predict_loop;
  std::vector<MetricDict> eval_results;
  std::vector<Predictions> predictions;

  Event event() { return {trainer, *module}; }
  // Makes a module the one that callbacks see without running it, for Fabric.
  void adopt(const ModuleRef& ref);
  // The module is being destroyed: what was leased of it needs no undoing.
  void forget_module() noexcept;
  bool has(ModuleMethod method) const { return mask.has(method); }
  bool fitting() const { return state.kind == RunKind::fit; }
  int64_t current_epoch() const { return state.epoch.current.completed; }
  int64_t global_step() const;
  bool fit_should_accumulate() const;
  // Where a data function comes from: the data module's or the module's own.
  bool data_function_defined(DataMethod method) const;

  // Calls a function of the module with its name as the running one.
  template <class F>
  decltype(auto) in_module(std::string_view name, F&& call) {
    Dispatcher::ModuleScope scope(hooks, name);
    const ProfilerSpan span(profiler.get(), "module", name);
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
    const ProfilerSpan span(profiler.get(), "data", name);
    return call();
  }

  // Passes a batch through the transfer hooks to the device (loader_set.cpp).
  Batch transfer(Batch batch, int64_t dataloader_idx);

  // ---- Metrics (run_metrics.cpp)
  // Where log() goes instead of into an epoch's metrics; of a Fabric, which has no epochs.
  std::function<void(const std::string& name, const LogValue& value)> log_directly;
  void log(std::string_view function, const std::string& name, const LogValue& value,
           const LogOptions& log_options);
  void on_batch_start(const Batch& batch, std::optional<int64_t> dataloader_idx = {});
  void on_batch_end();
  void epoch_end_reached();
  void on_epoch_end();
  bool should_update_logs() const;
  void update_train_step_metrics();
  void update_train_epoch_metrics();
  MetricDict update_eval_epoch_metrics();
  void log_eval_end_metrics(const MetricDict& metrics);
  void reset_results();
  void reset_metrics();
  // Sends metrics to all loggers; step: default batches_that_stepped.
  void log_metrics(const MetricDict& metrics, std::optional<int64_t> step = {});
  MetricStore* active_store();
  // The views, brought up to date.
  const MetricViews& views();
  void flush();
  std::optional<bool> first_iteration;  // of the running epoch; nothing between epochs
  std::string_view last_function;       // that logged
  MetricStore train_metrics{true};
  MetricStore val_metrics{false};
  MetricStore eval_metrics{false};
  MetricViews metric_views;
  bool views_dirty = false;
  MonitorCheck monitor_check{*this};
  int64_t batch_size_of_batch = 0;  // of the running batch; 0 between batches

  // ---- Time spent (run_profile.cpp)
  void start_profile();
  void report_profile();
  Profile profile() const;

  // ---- Requests and signals (run_requests.cpp)
  void request(RequestKind kind, std::string reason);
  // Whether a request of the kind was made since the last call; grants and logs it.
  bool take_request(RequestKind kind);
  // After a training batch: stop, end of epoch, evaluation, checkpoint.
  struct BatchDecision {
    bool end_epoch = false;
    bool evaluate = false;
  };
  BatchDecision decide_after_batch();
  // Grants requests to evaluate, where there is something to evaluate.
  bool take_evaluation();
  // Forgets requests whose time is over.
  void drop_requests(std::initializer_list<RequestKind> kinds);
  // Writes the checkpoint that was asked for.
  void save_if_requested();
  void throw_if_interrupted();
  std::vector<Request> pending;
  std::vector<Request> granted;
  std::optional<Request> stop;  // that set should_stop
  std::atomic<int>& signal;     // the trainer's, so that a trial hears it too
  bool set_should_stop(bool value);

  // ---- Checkpoints (run_checkpoint.cpp)
  StateDict dump_checkpoint(bool weights_only);
  void save_checkpoint(const std::filesystem::path& path, bool weights_only);
  // Resolves "best", "last" and explicit paths; empty: none.
  std::filesystem::path select_checkpoint(const RunOptions& run_options, bool module_given);
  void load_checkpoint(const std::filesystem::path& path);
  void restore_module_and_callbacks();
  // By state key: of the callbacks, and kept for those that are not here.
  StateDict callback_states();
  void load_callback_states(const StateDict& states);
  void sort_out_absent_states(const StateDict& states);
  void restore_training_state();
  void finish_restore();
  void restore_gradients();
  std::filesystem::path checkpoint_path;
  std::optional<StateDict> loaded;
  bool resumable = false;  // see Trainer::resumable
  // States of callbacks that are not here now but asked to be kept, by key.
  StateDict kept_states;
  // Of callbacks under OnError::disable: what was saved or loaded last without a failure, by key.
  StateDict last_states;
  // What stands in the place of the module's weights for a while.
  WeightLeases weight_leases;

 private:
  void prepare(RunKind kind, const ModuleRef& module, Data data);
  void attach_module_callbacks();
  void verify_configuration();
  void setup_data_and_hooks();
  void configure_optimizers();
  void run_stage();
  void run_sanity_check();
  void finish();
  void finish_search();
  void fail(const std::exception_ptr& exception);
  void end(Outcome outcome, const std::string& reason);
  void log_results() const;

  // A callback's state_dict or load_state_dict, under its failure policy; false: it was disabled.
  bool call_for_state(const CallbackHandle& handle, std::string_view name,
                      const std::function<void()>& call);

  double run_started_ = 0;
  double run_seconds_ = 0;
  bool running_ = false;
};

// Thrown in on_fit_start and its like by a search that was not made for a run: the run ends at once,
// as if all of it had been done.
struct SearchOnly {};

// A logger that accepts everything and writes nothing (trainer_options.cpp).
std::shared_ptr<Logger> silent_logger();

// The checks of an options struct, and what they amount to (trainer_options.cpp).
void validate_options(const TrainerOptions& options);
// For a val_check_interval that has no meaning without epochs.
[[noreturn]] void refuse_fraction_over_epochs(double fraction);
// barebones=true and an option that asks for more than the loop.
[[noreturn]] void refuse_in_barebones(const char* option, std::string_view value);
RunLimits limits_of(TrainerOptions& options);

}  // namespace grapnel
