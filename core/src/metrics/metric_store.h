// What was logged in one loop (training, or one kind of evaluation), until it is reduced and
// reported.
//
// Keyed by the function that logged, the name, and the data loader. The rules are those of
// Lightning's result collection: a value for the step, a reduction over the epoch (a mean weighted
// by batch size), names with "_step" and "_epoch" when both are asked for, values reset when the
// same function logs again in a new epoch.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "grapnel/device_scalar.h"
#include "grapnel/log_options.h"
#include "grapnel/metric_dict.h"
#include "grapnel/state_dict.h"

namespace grapnel {

// One call of log() with its defaults resolved.
struct LogRecord {
  std::string_view function;  // "training_step", "on_train_batch_end", ...
  std::string_view name;
  DeviceScalar value;
  bool on_step;
  bool on_epoch;
  const LogOptions& options;
  int64_t batch_size;
  std::optional<int64_t> dataloader_idx;  // set when there are several loaders
  int64_t global_step;
};

// The three views of what was logged.
struct MetricViews {
  MetricDict callback;
  MetricDict log;
  MetricDict progress_bar;
};

class MetricStore {
 public:
  explicit MetricStore(bool training) : training_(training) {}

  // Throws ConfigError when the function logged this name before with other options.
  void log(const LogRecord& record);

  // Forgets the values that a function logged; they come back with its next log.
  void reset(std::string_view function);
  void reset();
  // Forgets the metrics themselves, with the options that they were logged with.
  void clear() { *this = MetricStore(training_); }

  // Loader whose metrics the views show; nothing for metrics logged outside of several loaders.
  void set_dataloader(std::optional<int64_t> index) { dataloader_idx_ = index; }
  std::optional<int64_t> dataloader() const { return dataloader_idx_; }

  // Adds the current values to the views: those of the step, or those reduced over the epoch.
  void collect(bool on_step, MetricViews& views) const;

  // Under which monitors can see what was ever logged here, for all loaders.
  std::vector<std::string> monitored_names() const;

  bool empty() const { return metrics_.empty(); }

  // A batch begins, which a resumed run may have to do again.
  void mark() { ++mark_; }
  // Of metrics outside of several loaders: what training accumulates over an epoch, and the order in
  // which all were first logged. before_mark: as it was at the last mark().
  StateDict state_dict(bool before_mark = false) const;
  void load_state_dict(const StateDict& state);

 private:
  struct Values {
    bool has_reset = false;
    DeviceScalar step_value = {};
    bool has_step_value = false;
    DeviceScalar accumulated = {};
    double weight = 0;
    int64_t global_step = 0;
  };
  struct Metric {
    std::string function = {};
    std::string name = {};
    bool on_step = false;
    bool on_epoch = false;
    bool prog_bar = false;
    bool logger = false;
    Reduce reduce = Reduce::mean;
    bool add_dataloader_idx = false;
    std::optional<int64_t> dataloader_idx = {};
    std::optional<int64_t> key_dataloader = {};  // part of the key
    bool is_place = false;  // of a checkpoint: where it comes among the others once it is logged

    Values now = {};
    int64_t changed_at = 0;  // the mark() after which the values changed last
    Values before = {};      // those at that mark

    void restart();
    std::optional<DeviceScalar> value(bool step) const;
    std::string suffix() const;  // of its name, for its data loader
  };

  void keep(Metric& metric) const;
  Metric* find(std::string_view function, std::string_view name, std::optional<int64_t> loader);

  bool training_;
  std::optional<int64_t> dataloader_idx_;
  std::vector<Metric> metrics_;
  int64_t mark_ = 0;
  size_t last_ = 0;  // where the last one was found: logging comes in the same order every step
};

}  // namespace grapnel
