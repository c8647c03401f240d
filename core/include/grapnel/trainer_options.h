// The options of a Trainer, with Lightning's names and defaults.
//
// trainer_options_table() has a sentence, the range and the unit of each: that is the documentation
// of an option without a comment here, and what `grapnel` and the schema of run.json show.
// Trainer's constructor checks by it, and throws ConfigError for a value that is not accepted.
//
// Checkpoints hold none of these options: a fit that resumes has those that it is given. One that
// resumes within an epoch warns when limit_train_batches, overfit_batches or accumulate_grad_batches
// move the end of that epoch or of an accumulation window in it.
#pragma once

#include <concepts>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "grapnel/base/clock.h"
#include "grapnel/base/options_table.h"
#include "grapnel/export.h"
#include "grapnel/logger.h"
#include "grapnel/module.h"
#include "grapnel/precision.h"
#include "grapnel/profile.h"

namespace grapnel {

class ProgressSink;

// Whether only deterministic algorithms are used; `warn` warns where there is none, where `on`
// fails.
enum class Deterministic { off, on, warn };

// A number of batches (an integer) or a fraction of all (a floating-point number in [0, 1]).
struct Amount {
  template <std::integral T>
  constexpr Amount(T n) : is_count(true), count(static_cast<int64_t>(n)) {}
  template <std::floating_point T>
  constexpr Amount(T f) : is_count(false), fraction(static_cast<double>(f)) {}
  bool is_count;
  int64_t count = 0;
  double fraction = 0.0;
  bool is_zero() const { return is_count ? count == 0 : fraction == 0.0; }
};

// When validation runs within an epoch: every so many training batches (an integer), after each
// such fraction of an epoch (floating point in [0, 1]), or after so much time ("DD:HH:MM:SS").
struct ValCheckInterval {
  template <std::integral T>
  ValCheckInterval(T n) : value(static_cast<int64_t>(n)) {}
  template <std::floating_point T>
  ValCheckInterval(T f) : value(static_cast<double>(f)) {}
  ValCheckInterval(const char* duration) : value(std::string(duration)) {}
  ValCheckInterval(std::string duration) : value(std::move(duration)) {}
  std::variant<int64_t, double, std::string> value;
};

// How the files of Trainer::start_checkpoint(), which ModelCheckpoint uses, are written.
enum class CheckpointSaving {
  synchronous,   // the training waits until the file is on the disk
  asynchronous,  // a thread writes a copy of the state; checkpoints/checkpoint_writer.h
};

struct TrainerOptions {
  // ---- Length of a run
  std::optional<int64_t> max_epochs = {};
  std::optional<int64_t> min_epochs = {};
  int64_t max_steps = -1;
  std::optional<int64_t> min_steps = {};
  std::string max_time = {};

  // ---- How much data
  Amount limit_train_batches = 1.0;
  Amount limit_val_batches = 1.0;
  Amount limit_test_batches = 1.0;
  Amount limit_predict_batches = 1.0;
  Amount overfit_batches = 0.0;  // train and validate on these alone, unshuffled
  int64_t fast_dev_run = 0;
  int64_t reload_dataloaders_every_n_epochs = 0;

  // ---- Validation
  ValCheckInterval val_check_interval = 1.0;
  std::optional<int64_t> check_val_every_n_epoch = 1;
  int64_t num_sanity_val_steps = 2;
  bool inference_mode = true;

  // ---- Optimization
  int64_t accumulate_grad_batches = 1;
  std::optional<double> gradient_clip_val = {};
  std::optional<ClipAlgorithm> gradient_clip_algorithm = {};  // unset: norm
  Precision precision = Precision::f32_true;
  bool detect_anomaly = false;
  // Unset: as the process has it. Else for the time of a run, after which the process has its own
  // setting again. On a GPU, LibTorch asks for CUBLAS_WORKSPACE_CONFIG=:4096:8 in the environment.
  std::optional<Deterministic> deterministic = {};
  // Let cuDNN try its algorithms and take the fastest, for the time of a run. Unset: as the process
  // has it, off when deterministic.
  std::optional<bool> benchmark = {};

  // ---- What is reported and kept
  int64_t log_every_n_steps = 50;
  std::vector<std::shared_ptr<Logger>> loggers = {};
  std::optional<bool> enable_checkpointing =
      {};  // unset: true. Adds a ModelCheckpoint when there is none
  // Asynchronous saving takes the memory of one more checkpoint. Code that keeps a tensor's
  // data_ptr() over a save needs the synchronous one. Unset: synchronous; in grapnel: asynchronous.
  std::optional<CheckpointSaving> checkpoint_saving = {};
  std::optional<bool> enable_progress_bar =
      {};  // unset: true. Adds a bar when there is none and `progress` is set
  std::optional<bool> enable_model_summary =
      {};  // unset: true. Adds a ModelSummary, which goes to the log, when there is none
  bool enable_autolog_hparams = true;
  ProfilerKind profiler = ProfilerKind::none;
  bool barebones = false;
  std::filesystem::path default_root_dir = {};

  // ---- Injected
  const Clock* clock = nullptr;                 // nullptr: the system's
  std::shared_ptr<ProgressSink> progress = {};  // where a progress bar draws; nullptr: nowhere
  // Of LibTorch's default generators, set when a run starts; a fit that resumes then has the
  // checkpoint's. A run within another one gives the outer run its random numbers back.
  std::optional<uint64_t> seed = {};
  std::string device = "cpu";  // "cpu", "cuda", "cuda:1"
};

// The options that run.json can set, under "trainer".
GRAPNEL_CORE_API const OptionsTable<TrainerOptions>& trainer_options_table();

// trainer_options_table().read(), with the rules between what was given and what was left out.
GRAPNEL_CORE_API TrainerOptions trainer_options(const Parameters& parameters);

}  // namespace grapnel
