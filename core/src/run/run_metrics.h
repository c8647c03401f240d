// The metrics of a run: what log() gathers, and when it becomes visible to monitors, bars and
// loggers.
//
// The rules are Lightning's. While an epoch's batches run, metrics show the values of the last
// step; when they are over, the values reduced over the epoch. A function that logs for the first
// time in an epoch starts its metrics afresh. The calls that this needs around batches and epochs
// are those of EpochMetrics, each around the part of the loop that it is about:
//
//   metrics.epoch([&](EpochMetrics& epoch) {
//     for (...) {
//       epoch.batch(batch, loader, [&] { ... the batch's hooks and its step ... });
//       epoch.send_step();
//     }
//     epoch.end([&] { hooks.on_train_epoch_end(event); });
//     epoch.send_reduced();
//   });
//
// An exception leaves all as it was: on_exception, and a checkpoint written there, see the metrics
// of the place that failed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "grapnel/batch.h"
#include "grapnel/metric_dict.h"
#include "grapnel/run_state.h"
#include "grapnel/state_dict.h"
#include "grapnel/trainer_options.h"
#include "loggers/logger_set.h"
#include "metrics/metric_store.h"
#include "run/log_target.h"

namespace grapnel {

class EpochMetrics;

class RunMetrics final : public LogTarget {
 public:
  // All must outlive it.
  RunMetrics(const RunState& state, const TrainerOptions& options, LoggerSet& loggers)
      : state_(state), options_(options), loggers_(loggers) {}

  // Forgets all metrics, also what a run that failed had not reduced.
  void begin_run();
  // Forgets all values of the running stage, and what was visible.
  void reset();
  // What is visible, taken away for a stage whose metrics count for nothing (the sanity check);
  // show() forgets what that stage logged and makes the others visible again.
  MetricViews hide();
  void show(MetricViews hidden);

  void log(const LogCall& call) override;

  // One epoch of the running stage: calls body with its EpochMetrics. Validation inside a training
  // epoch is an epoch within it; the outer one continues where it was.
  template <class Body>
  void epoch(Body&& body);

  // What is visible now.
  const MetricViews& views();
  // Adds a value that monitors can see.
  void set_callback_metric(std::string_view name, DeviceScalar value, int64_t global_step);
  // Makes visible what was logged; before the stage changes.
  void flush();

  // Whether the running step is logged (log_every_n_steps).
  bool is_logging_step() const;
  // Sends metrics to all loggers; step: default batches_that_stepped; then the epoch is
  // sent too.
  void send(const MetricDict& metrics, std::optional<int64_t> step = {});

  // Names that monitors can see of all that was ever logged in training and validation.
  std::vector<std::string> monitored_names() const;

  // The run ends within an epoch, whose rest a resumed run may have to train: what is visible now, and
  // the values of the epoch that ends now, stay in checkpoints until the next one begins.
  void keep_visible() { kept_visible_ = visible_state(); }
  void keep_epoch() { kept_ = snapshot(train_.state_dict()); }
  void drop_kept();
  // The rest of it is trained: what was kept is as it was then.
  void restore_kept();

  // A validation that came only because of a stop, after keep_visible(): schedulers and whatever else
  // decides about the training must not see what it logged, but for what had no value before.
  void lay_validation_aside();
  void show_validation();  // again
  // The training goes on: what it logged is forgotten.
  void undo_validation();

  // A training batch begins.
  void mark_batch() { train_.mark(); }
  // For exact resume: what training has accumulated over the epoch, and what is visible.
  // without_batch: as it was when the running batch began.
  void save_state(StateDict& exact, bool without_batch);
  void load_state(const StateDict& exact);

 private:
  friend class EpochMetrics;
  // Of the running stage; nullptr: nothing is logged in it.
  MetricStore* store();
  void reset_values();
  StateDict visible_state();

  const RunState& state_;
  const TrainerOptions& options_;
  LoggerSet& loggers_;
  MetricStore train_{true};
  MetricStore validation_{false};  // inside fit
  MetricStore evaluation_{false};  // validate, test
  MetricViews views_;
  bool outdated_ = false;                // views_ lack something that was logged
  std::optional<bool> first_iteration_;  // of the running epoch; nothing between epochs
  std::string_view last_function_;       // that logged
  int64_t batch_size_ = 0;               // of the running batch; 0 between batches
  std::string_view hidden_function_;     // last_function_ before hide()
  std::string restored_function_;        // what last_function_ is after a resume
  std::optional<StateDict> kept_;
  std::optional<StateDict> kept_visible_;
  MetricDict last_validation_;  // what one before a stop has changed
};

class EpochMetrics {
 public:
  EpochMetrics(const EpochMetrics&) = delete;
  EpochMetrics& operator=(const EpochMetrics&) = delete;

  // The epoch that a checkpoint interrupted: its metrics continue rather than start afresh.
  void resume() { metrics_.first_iteration_ = false; }

  // One batch: `body` calls its hooks and its step. dataloader_idx: set when there are several
  // loaders.
  template <class Body>
  void batch(const Batch& batch, std::optional<int64_t> dataloader_idx, Body&& body) {
    begin_batch(batch, dataloader_idx);
    body();
    end_batch();
  }
  // Sends the values of the last batch to the loggers, as RunMetrics::send does.
  void send_step(std::optional<int64_t> step = {});

  // The batches of a loader are over: its reduced values. For evaluations.
  MetricDict end_loader();

  // All batches are over; `on_epoch_end` calls the hook of that, in which more may be logged.
  template <class Hook>
  void end(Hook&& on_epoch_end) {
    end_all_loaders();
    on_epoch_end();
    end_hook();
  }

  // After end(): what the hook logged, reduced. For evaluations.
  MetricDict at_end();
  // After end(): to the loggers, except from a sanity check.
  void send(const MetricDict& metrics);
  // After end(), for a training epoch: sends the reduced values and forgets them.
  void send_reduced();
  // Forgets the epoch's values.
  void reset() { metrics_.reset_values(); }

 private:
  friend class RunMetrics;
  explicit EpochMetrics(RunMetrics& metrics) : metrics_(metrics) {}
  void begin_batch(const Batch& batch, std::optional<int64_t> dataloader_idx);
  void end_batch();
  void end_batches();
  void end_all_loaders();
  void end_hook();

  RunMetrics& metrics_;
};

template <class Body>
void RunMetrics::epoch(Body&& body) {
  const std::optional<bool> outer = first_iteration_;
  EpochMetrics epoch(*this);
  body(epoch);
  first_iteration_ = outer;
}

}  // namespace grapnel
