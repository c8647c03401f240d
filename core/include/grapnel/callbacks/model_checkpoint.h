// Writes checkpoints: the newest, the best k by a metric, or all of them; every so many epochs,
// optimizer steps or seconds; "last" next to them; and one when the run fails.
//
//   ModelCheckpoint({.filename = "{epoch}-{val_loss:.2f}", .monitor = "val_loss", .save_top_k = 3})
//
// After Lightning's class of that name, with its file names, its bookkeeping and its state. A file
// appears whole or not at all; a file that is no longer among the best is removed only after the
// one that replaces it is complete, and never when it lies outside of dirpath or when the run was
// resumed from it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "grapnel/base/options_table.h"
#include "grapnel/callbacks/checkpoint.h"
#include "grapnel/callbacks/monitor.h"
#include "grapnel/export.h"
#include "grapnel/metric_names.h"

namespace grapnel {

enum class SaveLast {
  no,
  copy,  // a second full file
  link,  // a symbolic link to the newest one; a copy where links can't be made
};

struct ModelCheckpointOptions {
  // Where to; "~" is the home directory. Empty: "checkpoints" in the first logger's directory, or
  // in the trainer's default_root_dir.
  std::filesystem::path dirpath = {};
  // Template of the name, without extension: "{epoch}", "{step}" and "{any metric}", each with an
  // optional format as in Python ("{val_loss:.2f}"). Empty: "{epoch}-{step}". A metric that isn't
  // there counts as 0; "{{" is a brace.
  std::string filename = {};
  std::string monitor = {};  // empty: the newest is the best
  bool verbose = false;      // log what was saved, and what was not among the best
  SaveLast save_last = SaveLast::no;
  // How many of the best are kept; -1: all, 0: none. Without a monitor only -1, 0 and 1.
  int64_t save_top_k = 1;
  bool save_on_exception = false;
  bool save_weights_only = false;  // no optimizers, callbacks and loops: can't be resumed from
  MonitorMode mode = MonitorMode::min;
  bool auto_insert_metric_name = true;  // "{epoch}" becomes "epoch=3" instead of "3"
  // At most one of the three; with none of them: after every epoch. 0 turns one off.
  std::optional<int64_t> every_n_train_steps = {};
  std::optional<double> train_time_interval = {};  // seconds
  std::optional<int64_t> every_n_epochs = {};
  // At the end of the training epoch (true) or of the validation (false). Unset: of the epoch, when
  // there is no validation or exactly one at the end of each epoch.
  std::optional<bool> save_on_train_epoch_end = {};
  bool enable_version_counter = true;  // "-v1", "-v2", ... instead of overwriting a file

  std::string join_char = "-";
  std::string equals_char = "=";
  std::string name_last = "last";  // a template too
  std::string extension = ".ckpt";
  int64_t starting_version = 1;
};

class GRAPNEL_CORE_API ModelCheckpoint : public Checkpoint, public MetricMonitor {
 public:
  // Values for a file's name, by metric.
  using Metrics = std::vector<std::pair<std::string, std::variant<std::int64_t, double>>>;
  // Files and their scores, in the order in which they were saved.
  using Scores = std::vector<std::pair<std::string, double>>;

  // Throws ConfigError for options that are out of range or contradict each other.
  explicit ModelCheckpoint(ModelCheckpointOptions options = {});

  static const OptionsTable<ModelCheckpointOptions>& options_table();

  // The path for these values: filename (empty: the option's), version ("-v2"), prefix ("best-").
  // In dirpath, where that is known. Throws ConfigError for a template or a format that isn't one.
  std::string format_checkpoint_name(const Metrics& metrics, const std::string& filename = {},
                                     std::optional<int64_t> version = {},
                                     const std::optional<std::string>& prefix = {}) const;

  // Writes {path: score} of the best k as YAML; empty path: best_k_models.yaml in dirpath.
  void to_yaml(std::filesystem::path path = {}) const;

  const std::string& best_model_path() const { return records_.best_model_path; }  // empty: none
  std::optional<double> best_model_score() const { return records_.best_model_score; }
  std::optional<double> current_score() const { return records_.current_score; }
  const Scores& best_k_models() const { return records_.best_k_models; }
  const std::string& kth_best_model_path() const { return records_.kth_best_model_path; }
  double kth_value() const { return records_.kth_value; }  // infinite while there are fewer than k
  const std::string& last_model_path() const { return records_.last_model_path; }
  const std::string& dirpath() const { return dirpath_; }  // absolute from setup on
  const ModelCheckpointOptions& options() const { return options_; }

  Watched watched_metric() const override;
  std::filesystem::path best_checkpoint() const override { return records_.best_model_path; }
  std::vector<std::filesystem::path> last_checkpoints(const Trainer& trainer) const override;

  // "ModelCheckpoint{'monitor': None, 'mode': 'min', 'every_n_train_steps': 0, ...}", or the name.
  std::string state_key() const override;
  // Lightning's keys, and "resume": what makes a resumed run write the same files as one that was
  // never stopped. Where dirpath has changed, only best_model_path is restored, with a warning.
  StateDict state_dict() const override;
  void load_state_dict(const StateDict& state) override;

  void setup(StageEvent& event) override;
  void on_train_start(Event& event) override;
  // These throw IoError when a file can't be written, and MetricError when validation has run and
  // nothing logged the monitored metric.
  void on_train_batch_end(TrainBatchEnd& event) override;
  void on_train_epoch_end(Event& event) override;
  void on_validation_start(Event& event) override;
  void on_validation_end(Event& event) override;
  void on_exception(ExceptionEvent& event) override;
  void on_train_end(Event& event) override;
  HookMask wanted(const HookMask& overridden) const override;

 private:
  struct Records {
    std::string best_model_path;
    std::optional<double> best_model_score;
    std::optional<double> current_score;
    Scores best_k_models;
    std::string kth_best_model_path;
    double kth_value = 0.0;
    std::string last_model_path;
  };

  std::string resolve_dirpath(const Trainer& trainer) const;
  bool nothing_to_save(const Trainer& trainer) const;
  bool saves_at_epoch_end(const Trainer& trainer) const;
  bool step_is_due(const Trainer& trainer) const;
  bool time_is_due(const Trainer& trainer);
  void save_epoch(Trainer& trainer);
  void save_top_k(Trainer& trainer, const Metrics& metrics);
  void save_newest(Trainer& trainer, const Metrics& metrics);
  void save_if_best(Trainer& trainer, const Metrics& metrics);
  bool belongs_to_best(double score) const;
  void save_last(Trainer& trainer, const Metrics& metrics);
  void save(Trainer& trainer, const std::string& path);
  std::string free_name(const Metrics& metrics, const std::string& filename,
                        const std::string& own) const;
  void remove_replaced(const Trainer& trainer, const std::string& old,
                       const std::string& replacement) const;
  void warn_missing(const MetricError& error) const;

  ModelCheckpointOptions options_;
  int64_t every_n_train_steps_ = 0;
  int64_t every_n_epochs_ = 0;
  std::string dirpath_;
  Records records_;
  int64_t last_global_step_saved_ = 0;  // nothing to save before the first step
  std::string last_checkpoint_saved_;
  bool deferred_ = false;  // until the validation has made the metric
  bool validation_has_run_ = false;
  double last_time_ = 0.0;  // of the time trigger; seconds of the trainer's clock
  // The score in the loaded state: goes into the next checkpoint, although current_score() starts
  // over.
  std::optional<double> loaded_score_;
};

}  // namespace grapnel
