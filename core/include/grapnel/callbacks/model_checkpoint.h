// Writes checkpoints: the newest, the best k by a metric, or all of them; every so many epochs,
// optimizer steps or seconds; "last" next to them; and one when the run fails.
//
//   ModelCheckpoint({.filename = "{epoch}-{val_loss:.2f}", .monitor = "val_loss", .save_top_k = 3})
//
// After Lightning's class of that name, with its file names, its bookkeeping and its state. A file
// appears whole or not at all; a file that is no longer among the best is removed only after the
// one that replaces it is complete and "last" no longer points to it, and never when it lies
// outside of dirpath. The file that a run was resumed from stays during that run; the next one to
// be resumed removes it when it is no longer among the best.
//
// A resumed run takes the files of the former one over, also when their directory was moved or
// copied: "last" moves on, and what a killed run had no time to remove is removed. The file of an
// interruption (save_on_exception) is replaced by the next one.
//
// Otherwise than in Lightning, "last" holds the state at the end of a training where the last step
// is not one to save at; with a monitor that chose other states, only if last_at_end asks for it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "grapnel/base/clock.h"
#include "grapnel/base/options_table.h"
#include "grapnel/callbacks/checkpoint.h"
#include "grapnel/callbacks/monitor.h"
#include "grapnel/every_n.h"
#include "grapnel/export.h"
#include "grapnel/metric_names.h"

namespace grapnel {

struct CheckpointRecords;

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
  // there counts as 0; "{{" is a brace. "/" makes folders; the file stays below dirpath.
  std::string filename = {};
  std::string monitor = {};  // empty: the newest is the best
  bool verbose = false;      // log what was saved, and what was not among the best
  SaveLast save_last = SaveLast::no;
  bool last_at_end = false;  // "last" holds the training's end, also where a monitor chose others
  // How many of the best are kept; -1: all, 0: none. Without a monitor only -1, 0 and 1.
  int64_t save_top_k = 1;
  bool save_on_exception = false;
  bool save_weights_only = false;  // no optimizers, callbacks and loops: can't be resumed from
  MonitorMode mode = MonitorMode::min;
  bool auto_insert_metric_name = true;  // "{epoch}" becomes "epoch=3" instead of "3"
  // At most one of the three; with none of them: after every epoch. 0 turns one off. Steps and
  // seconds are counted from the last time, over a resume too.
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
  ~ModelCheckpoint() override;

  static const OptionsTable<ModelCheckpointOptions>& options_table();

  // The path for these values: filename (empty: the option's), version ("-v2"), prefix ("best-").
  // In dirpath, where that is known. Throws ConfigError for a template or a format that isn't one.
  std::string format_checkpoint_name(const Metrics& metrics, const std::string& filename = {},
                                     std::optional<int64_t> version = {},
                                     const std::optional<std::string>& prefix = {}) const;

  // Writes {path: score} of the best k as YAML; empty path: best_k_models.yaml in dirpath.
  void to_yaml(std::filesystem::path path = {}) const;

  const std::string& best_model_path() const;  // empty: none
  std::optional<double> best_model_score() const;
  std::optional<double> current_score() const;
  const Scores& best_k_models() const;
  const std::string& kth_best_model_path() const;
  double kth_value() const;  // infinite while there are fewer than k
  const std::string& last_model_path() const;
  // The file that was written last, for whatever reason; empty: none.
  const std::string& newest_model_path() const;
  // Whether the path is that of a file which it has saved and keeps.
  bool has_saved(std::string_view path) const;
  const std::string& dirpath() const { return dirpath_; }  // absolute from setup on
  const ModelCheckpointOptions& options() const { return options_; }

  Watched watched_metric() const override;
  std::filesystem::path best_checkpoint() const override { return best_model_path(); }
  std::vector<std::filesystem::path> last_checkpoints(const Trainer& trainer) const override;
  void on_nothing_left(Trainer& trainer) override;

  // "ModelCheckpoint{'monitor': None, 'mode': 'min', 'every_n_train_steps': 0, ...}", or the name.
  std::string state_key() const override;
  // Lightning's keys, and "resume": what makes a resumed run write the same files as one that was
  // never stopped. Where the file that a run is resumed from lies in dirpath, all paths are restored
  // as those of the same files there; elsewhere only best_model_path is, with a warning.
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
  // What follows once files are complete.
  struct Unsettled {
    std::vector<std::string> written;  // that loggers are to be told of
    std::string last_from;             // what "last" becomes a link to, or a copy of; empty: none
  };
  enum class When { during_training, at_the_end, on_failure };

  void begin_anew();
  bool was_moved_here(const std::string& from, const std::string& newest) const;

  std::string resolve_dirpath(const Trainer& trainer) const;
  std::vector<std::filesystem::path> files_of_last(const std::filesystem::path& directory) const;
  bool nothing_to_save(const Trainer& trainer) const;
  bool saves_at_epoch_end(const Trainer& trainer) const;
  void save_if_due(TrainBatchEnd& event);
  bool step_is_due(const Trainer& trainer);
  bool time_is_due(const Trainer& trainer);
  // ---- Files (model_checkpoint_files.cpp)
  void save_now(Trainer& trainer);
  void save_epoch(Trainer& trainer);
  void save_interruption(Trainer& trainer);
  void finish_last(Trainer& trainer);
  void save_top_k(Trainer& trainer, const Metrics& metrics);
  void save_newest(Trainer& trainer, const Metrics& metrics);
  void save_if_best(Trainer& trainer, const Metrics& metrics);
  void save_last(Trainer& trainer, const Metrics& metrics, When when);
  void save(Trainer& trainer, const std::string& path, const CheckpointRecords& before);
  void announce_last(const Trainer& trainer, const Metrics& metrics);
  void drop_interruption(const std::string& replacement);
  void in_one_go(Trainer& trainer, const std::function<void()>& saving);
  void settle(Trainer& trainer, const Unsettled& files);
  static void tell_loggers(const Trainer& trainer, const std::vector<std::string>& files);
  void remove_obsolete();
  void take_over(Trainer& trainer);
  std::string free_name(Trainer& trainer, const Metrics& metrics, const std::string& own) const;
  std::string name_of_last(const Trainer& trainer, const Metrics& metrics) const;
  bool is_last_of_this_run(const Trainer& trainer, const std::string& path) const;
  bool would_be_the_same(Trainer& trainer, const std::string& path) const;
  void warn_missing(const MetricError& error) const;

  ModelCheckpointOptions options_;
  int64_t every_n_train_steps_ = 0;
  int64_t every_n_epochs_ = 0;
  std::string dirpath_;
  std::unique_ptr<CheckpointRecords> records_;
  Unsettled unsettled_;
  std::filesystem::path resumed_from_;  // of the running fit; empty: none
  bool continues_ = false;              // the running fit continues one that saved in dirpath
  bool took_over_ = false;
  // Names of "last" that were taken when the training began; nothing: not known.
  std::optional<std::vector<std::string>> others_last_;
  std::string replaceable_;  // the file of the interruption that the run was resumed from
  EveryN due_step_ = EveryN::from_start();
  bool deferred_ = false;  // until the validation has made the metric
  bool validation_has_run_ = false;
  const Clock* clock_ = nullptr;     // the trainer's
  std::optional<double> last_time_;  // of the time trigger, from on_train_start on; its seconds
  double waited_ = 0.0;              // seconds since the last time, in the loaded state
};

}  // namespace grapnel
