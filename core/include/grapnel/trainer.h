// The Trainer: runs a Module over data and calls the hooks. The loop itself is drawn above class
// Callback in <grapnel/callback.h>.
//
//   Trainer trainer({.max_epochs = 5}, {std::make_shared<EarlyStopping>("val_loss")});
//   trainer.fit(model, data);
//   trainer.test(model, data, {.ckpt_path = "best"});
//
// A trainer runs one thing at a time: fit, validate, test or predict of a trainer within a run of its
// own, as in a hook, is a ConfigError. Another trainer may run there, also the same module and data:
// when its run ends, the module's trainer, the modes of its layers and its gradients are again what
// they were. Its device and the type of its parameters (precision) must be the same.
//
// What a run changes for its time is undone on every way out, exceptions included: leases, the
// shuffling and the last batch of the user's loaders, the modes of layers in an evaluation,
// parameters that toggle_optimizer froze, and the process's settings for deterministic algorithms
// and cuDNN's benchmark. What training is for stays: weights, buffers, optimizers.
//
// A checkpoint may be written in any hook of a fit. It keeps how far the fit is, to the hook and to
// who has had its call: a fit that resumes from it begins there. The options of optimizers and the
// settings of schedulers are the checkpoint's, with a warning for each that configure_optimizers
// chooses differently; what a callback sets in on_fit_start counts. TrainerOptions, such as
// max_epochs, are the new ones. A position within an epoch is that of a sample: with batches of
// another size the fit continues there, and warns of what is trained twice or left out (data.h).
//
// A checkpoint that is refused, by the trainer or by who is to load a part of it, leaves no trace:
// the model's weights, counters, random numbers and the states of the library's callbacks, of plugins
// and of loggers are what they were. For callbacks and data modules of the user's own see
// Callback::gives_back_state.
//
// Not thread-safe: a trainer, its callbacks and its module live on one thread. The library never
// prints and never installs signal handlers by itself; see interrupt().
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "grapnel/callback.h"
#include "grapnel/data.h"
#include "grapnel/export.h"
#include "grapnel/lease.h"
#include "grapnel/logger.h"
#include "grapnel/metric_dict.h"
#include "grapnel/module.h"
#include "grapnel/phase_times.h"
#include "grapnel/request.h"
#include "grapnel/run_state.h"
#include "grapnel/trainer_options.h"

namespace grapnel {

class Dispatcher;
class GradScaler;
class Run;

struct RunOptions {
  std::string ckpt_path = {};  // a file, "last", "best"; empty: none
  bool verbose = true;         // validate, test: log the results when they end
};

// Predictions of one data loader: one tree per batch.
using Predictions = std::vector<TensorTree>;

class GRAPNEL_CORE_API Trainer {
 public:
  explicit Trainer(TrainerOptions options = {}, std::vector<CallbackHandle> callbacks = {});
  ~Trainer();
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  // Train. Throws what a step or hook threw, after on_exception and on_run_end; Interrupted after a
  // signal; ConfigError before anything ran when the parts don't fit together; CheckpointError for a
  // checkpoint that can't be used, naming its file and, where a value in it is wrong, the key. data: a DataModule,
  // loaders, or nothing when the module brings its own. Calling it again trains the module further and
  // counts epochs and steps on, but with the optimizers and schedulers that configure_optimizers then
  // makes: momenta and learning rates start over. To continue with them, resume from a checkpoint.
  void fit(ModuleRef module, Data data = {}, const RunOptions& options = {});

  // One MetricDict per data loader, with the metrics logged for the epoch.
  std::vector<MetricDict> validate(ModuleRef module, Data data = {},
                                   const RunOptions& options = {});
  std::vector<MetricDict> test(ModuleRef module, Data data = {}, const RunOptions& options = {});
  // One entry per data loader; tensors on the CPU.
  std::vector<Predictions> predict(ModuleRef module, Data data = {},
                                   const RunOptions& options = {});

  // The same with the module of the last run and, when ckpt_path is empty, the best checkpoint's
  // weights.
  std::vector<MetricDict> validate(Data data = {}, RunOptions options = {});
  std::vector<MetricDict> test(Data data = {}, RunOptions options = {});
  std::vector<Predictions> predict(Data data = {}, RunOptions options = {});

  // ---- Checkpoints
  // Gathers everything (weights_only: the model and the loop's counters) and writes it in one
  // atomic step. Throws IoError; the old file, if any, is then still whole.
  void save_checkpoint(const std::filesystem::path& path, bool weights_only = false);
  // The same; with checkpoint_saving=asynchronous a fit returns once the state is taken, and a
  // thread writes the file. There is one at a time: the next one waits for it. A failure is thrown
  // at the end of the batch, by the next of these functions, or at the end of the run.
  void start_checkpoint(const std::filesystem::path& path, bool weights_only = false);
  // Calls `done` once the file that was started last is complete, or `failed` once it has failed:
  // at once when that is known, else at the end of a batch, before the next file and before the run
  // ends, in the thread of the training.
  void after_checkpoint(std::function<void()> done, std::function<void()> failed = {});
  // Waits for the file that is being written, and calls what follows it. Throws IoError.
  void finish_checkpoint();
  // The file that is being made, from before on_save_checkpoint until it is complete; empty: none.
  std::filesystem::path checkpoint_in_the_making() const;
  // What save_checkpoint would write.
  StateDict dump_checkpoint(bool weights_only = false);
  // Whether a fit could resume from a checkpoint written now: the running or last run is a fit, has
  // made its optimizers, and has restored what it was to restore. A failure before that has made no
  // progress worth a file.
  bool resumable() const;

  // ---- Progress of the run
  const RunState& state() const;
  int64_t global_step() const;    // optimizer steps finished over all epochs
  int64_t current_epoch() const;  // from 0; after the run: epochs finished
  Stage stage() const { return state().stage; }
  bool sanity_checking() const { return state().stage == Stage::sanity_check; }
  bool should_stop() const { return state().should_stop; }
  // The file that the running or last run loaded; empty: none.
  std::filesystem::path ckpt_path() const;
  // True while the loop logs this step (log_every_n_steps).
  bool is_logging_step() const;
  // True while the gradients of the running batch are kept for the next one: no optimizer step
  // follows it.
  bool is_accumulating() const;
  // Batches per loader of the running stage; -1: unknown.
  std::vector<int64_t> num_val_batches() const;
  std::vector<int64_t> num_sanity_val_batches() const;
  std::vector<int64_t> num_test_batches() const;
  std::vector<int64_t> num_predict_batches() const;
  // Whether fit can validate at all: there are data and a validation_step, and limit_val_batches is
  // not 0. In which epochs it does is check_val_every_n_epoch's.
  bool validation_enabled() const;

  const MetricDict& callback_metrics() const;  // what monitors see
  const MetricDict& logged_metrics() const;
  const MetricDict& progress_bar_metrics() const;
  // Adds a value that monitors can see, for callbacks that compute one without log().
  void set_callback_metric(std::string_view name, const LogValue& value);
  // Sends numbers to all loggers at once, without log()'s rules. Without a step: at the training's
  // (batches that an optimizer stepped after), together with the epoch.
  void log_metrics(const Logger::Metrics& metrics, std::optional<int64_t> step = {});

  // ---- Requests to change the course of a run
  void request(RequestKind kind, std::string reason);
  void request_stop(std::string reason) { request(RequestKind::stop, std::move(reason)); }
  // Every request that was granted in this run, in order.
  const std::vector<Request>& granted_requests() const;
  // Stops the run at the next batch or epoch boundary by throwing Interrupted from it. The only
  // member that may be called from a signal handler or another thread.
  void interrupt(int signal) noexcept;
  // Sets the stop flag itself, as Lightning's trainer.should_stop = True does.
  void set_should_stop(bool value);

  // ---- Leases: changes that are undone, last first, on every way out
  Lease lease(std::string reason, std::function<void()> undo);
  // Replaces the module's entries of these names; of several leases of one entry the last taken
  // counts, and they may end in any order. A checkpoint written in the meantime holds the training
  // weights as the model's, and the leased ones separately. Throws ConfigError for an unknown name,
  // another shape or type.
  Lease lease_weights(std::vector<std::pair<std::string, at::Tensor>> tensors, std::string reason);
  // Multiplies entries by masks of their shapes, on top of replacements by lease_weights, taken
  // before or after. Throws as lease_weights does.
  Lease mask_weights(std::vector<std::pair<std::string, at::Tensor>> masks, std::string reason);
  // The entry's trained tensor, also while leases replace it; undefined for an unknown name. Throws
  // ConfigError when there is no module.
  at::Tensor training_tensor(std::string_view name) const;

  // ---- Parts
  const TrainerOptions& options() const;
  // In the order of their hooks: tuners, the user's, the trainer's defaults, plugins, checkpoints.
  const std::vector<CallbackHandle>& callbacks() const;
  template <class T>
  T* find_callback() const {
    for (const CallbackHandle& handle : callbacks()) {
      if (T* found = dynamic_cast<T*>(handle.callback.get())) return found;
    }
    return nullptr;
  }
  Module& module() const;  // of the running or last run; throws ConfigError when there was none
  bool has_module() const;
  const ModuleMask& module_mask() const;
  DataModule* data_module() const;
  const std::vector<std::shared_ptr<Optimizer>>& optimizers() const;
  const std::vector<SchedulerConfig>& schedulers() const;
  // What the optimizer's next step has as the learning rate of a group: its option "lr" times the
  // factors of callbacks (Callback::learning_rate_factor). Throws ConfigError when there is no such
  // group.
  double learning_rate(size_t optimizer_idx, size_t group) const;
  const std::vector<std::shared_ptr<Logger>>& loggers() const;
  const Clock& clock() const;
  std::filesystem::path default_root_dir() const;  // absolute
  // The first logger's directory for this run, else default_root_dir.
  std::filesystem::path log_dir() const;
  const at::Device& device() const;
  Dispatcher& dispatcher() const;
  // Of precision 16-mixed; nullptr under any other.
  const GradScaler* grad_scaler() const;
  // What the running or last run spent its time on.
  Profile profile() const;
  // Measures the phases of the running fit, from now on; in every fit anew, where it is wanted.
  void measure_phases();
  // Of the running or last fit; nothing when nobody measured it.
  std::optional<PhaseTimes> phase_times() const;

  // ---- Changes during a run, by callbacks that own such a decision
  void set_accumulate_grad_batches(int64_t n);
  void set_max_epochs(int64_t n);
  void set_max_steps(int64_t n);
  // Steps run training_step alone: no zero_grad, no backward; the optimizer is still called where
  // an accumulation window ends.
  void set_skip_backward(bool value);
  // Replaces the running fit's schedulers. Throws ConfigError for one that is null.
  void set_schedulers(std::vector<SchedulerConfig> schedulers);

 private:
  friend class Run;
  std::unique_ptr<Run> run_;  // while a tuner tries something: the trial's
  std::atomic<int> signal_{0};
};

}  // namespace grapnel
