// A run's checkpoints: what they hold, and putting it back.
//
// A file is read and checked as a whole before anything changes, and so are names and shapes of all
// weights before the first is copied. The rest is checked as it is loaded, some of it after
// configure_optimizers, by the optimizers, callbacks, data module and loggers that it is for. When one
// of them refuses it, what was loaded before is undone: weights, the states of callbacks and of the data
// module, counters, random generators. Weights are converted to the model's types.
// Schedulers are matched by their places, and one that has no partner stays as it was made, as in
// Lightning.
//
// An evaluation loads weights, and every hook of loading is called. But after a training in the same
// trainer, the states of callbacks and of the data module that was trained with are that training's,
// which a later fit continues: they stay. In a trainer without one they are loaded too.
//
// Beyond what Lightning keeps there are the random generators, the gradients of a partly filled
// accumulation window, what the epoch's metrics have accumulated, and the loggers' positions: with
// these a resumed run ends with the same bits as one that was never stopped.
//
// A batch in whose middle a checkpoint is written, before the optimizer's step, is done again by the
// resumed run, and so is a validation: the checkpoint has the random generators, the epoch's metrics
// and the loggers' positions of its beginning. Callbacks are called again, and what its forward pass did
// to buffers (the statistics of batch normalizations) stays, since copies of them would cost something
// in every batch. When gradients of it are there already, which can't be told from those of the batches
// before, the resumed run does all batches of the accumulation window again.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "checkpoints/checkpoint_writer.h"
#include "grapnel/data.h"
#include "grapnel/run_state.h"
#include "grapnel/state_dict.h"
#include "grapnel/trainer.h"
#include "run/callback_states.h"
#include "run/resumed_options.h"

namespace grapnel {

class Run;

class Checkpointing {
 public:
  explicit Checkpointing(Run& run);

  CallbackStates& callback_states() { return callback_states_; }

  // ---- Writing (checkpoint_dump.cpp, checkpoint_saving.cpp)
  // See Trainer::dump_checkpoint, save_checkpoint, start_checkpoint, after_checkpoint.
  StateDict dump(bool weights_only);
  void save(const std::filesystem::path& path, bool weights_only);
  void start(const std::filesystem::path& path, bool weights_only);
  void after(std::function<void()> done, std::function<void()> failed);
  // The file that is being made; empty: none.
  std::filesystem::path in_the_making() const;
  // Waits for the file that is being written, and does what follows it. Throws IoError.
  void finish();
  // The same for one that is complete, or has failed, already.
  void poll() {
    if (writer_.is_active() && writer_.is_done()) finish();
  }
  // Before the training changes large tensors.
  void let_go() noexcept { writer_.let_go(); }
  // The run has failed. When its last file couldn't be written, it is written to another place.
  void rescue();
  bool resumable() const { return resumable_; }  // see Trainer::resumable

  // ---- Loading, in the order of a run (checkpoint_restore.cpp)
  void begin_run();
  void choose(const RunOptions& options, bool module_given);
  // The file that was chosen; empty: none.
  const std::filesystem::path& path() const { return path_; }
  void read();
  // The file that was read is of a run that ended within an epoch, which the resumed one continues.
  bool continues_epoch() const;
  // It holds a stop that this callback had requested, and that wasn't carried out yet.
  bool holds_stop_of(const Callback& callback) const;
  void restore_module_and_callbacks();
  // configure_optimizers has made the optimizers. Without a file to restore, checkpoints are whole
  // from now on.
  void begin_optimizers();
  // Calls on_fit_start. A callback that refuses the checkpoint there refuses it as the rest here
  // does.
  void call_fit_start(const std::function<void()>& hook);
  // Counters, optimizers, metrics, gradients; without a file the gradients are cleared all the
  // same.
  void restore_training();
  void forget_file();

 private:
  [[noreturn]] void refuse(const std::string& message) const;
  // Calls a part of the restoring: an error names the file.
  void with_path(const std::function<void()>& part) const;
  // The same, and an error undoes what was restored before.
  void or_undo(const std::function<void()>& part);
  void restore_weights();
  void restore_data_module();
  void restore_callbacks(LoadCheckpoint& load);
  bool keeps_training_state() const;
  // Nothing can be refused any more.
  void forget_replaced();
  void undo_restored() noexcept;
  void undo_data_module();
  void undo_progress();
  void check_optimizer_types() const;
  // Logs one that is not the training's.
  void tell_other_precision(const StateDict& exact) const;
  void restore_progress();
  void restore_optimizers();
  void restore_exactly();
  void restore_gradients(const StateDict& exact);

  bool saves_in_a_thread() const;
  void write_now(const std::filesystem::path& path, bool weights_only);
  void note_written(const std::filesystem::path& path);
  void note_failure(const std::filesystem::path& path) { unwritten_ = path; }

  void dump_weights(StateDict& checkpoint) const;
  void dump_training(StateDict& checkpoint);
  StateDict dump_exact();
  void dump_data(StateDict& checkpoint);
  void call_on_save(StateDict& checkpoint, bool weights_only);

  // What the trainer itself restores.
  struct TrainerProgress {
    RunState state;
    StateDict validation_schedule;
    StateDict filter_times;
    StateDict called_once;
    StateDict generators;
    std::optional<StateDict> scaler = {};
  };
  TrainerProgress present_progress() const;

  Run& run_;
  CallbackStates callback_states_;
  std::filesystem::path path_;
  std::optional<StateDict> loaded_;
  ResumedOptions options_;
  bool resumable_ = false;

  class Making;
  std::filesystem::path making_;  // what is gathered for; empty: nothing
  CheckpointWriter writer_;
  struct Following {
    std::function<void()> done;
    std::function<void()> failed;
  };
  std::vector<Following> following_;          // the file that is being written
  std::filesystem::path unwritten_;           // the last file, when it couldn't be written
  bool trained_ = false;                      // a fit of this trainer has begun to train
  const DataModule* trained_data_ = nullptr;  // with which; only compared

  // As they were before they were restored; kept until nothing can be refused any more.
  struct Replaced {
    std::vector<std::pair<at::Tensor, at::Tensor>> weights;  // live, and as it was
    bool data_loaded = false;                                // by the data module
    std::optional<StateDict> data;                           // its state; nothing: not asked for
    std::optional<TrainerProgress> progress;
  };
  Replaced replaced_;
};

}  // namespace grapnel
