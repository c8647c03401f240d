// Stops the training when a monitored metric no longer improves.
//
//   EarlyStopping("val_loss", {.min_delta = 0.01, .patience = 5})
//
// After Lightning's class of that name. At each check, in this order: not finite -> stop; past
// stopping_threshold -> stop; past divergence_threshold -> stop; better than the best by more than
// min_delta -> the new best; else one more check without improvement, and with `patience` of them
// -> stop. The trainer may defer the stop until min_epochs or min_steps are reached. What comes only
// because a limit or another stop ends the run within an epoch is no check: a resumed run trains the
// rest of the epoch, and checks then.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "grapnel/base/options_table.h"
#include "grapnel/callback.h"
#include "grapnel/callbacks/monitor.h"
#include "grapnel/export.h"
#include "grapnel/metric_names.h"

namespace grapnel {

struct EarlyStoppingOptions {
  double min_delta = 0.0;  // at least 0; in the metric's unit
  int64_t patience = 3;    // checks without improvement; 0 stops at the first one
  bool verbose = false;    // log each improvement and the stop
  MonitorMode mode = MonitorMode::min;
  bool strict = true;        // a metric that isn't there is an error; else the check is skipped
  bool check_finite = true;  // a metric that is NaN or infinite stops at once
  std::optional<double> stopping_threshold = {};    // stop as soon as it is better than this
  std::optional<double> divergence_threshold = {};  // stop as soon as it is worse than this
  // When to check: at the end of a training epoch (true) or of a validation (false). Unset: of the
  // epoch, when validation runs exactly once at the end of each.
  std::optional<bool> check_on_train_epoch_end = {};
  // No check before this epoch, counted from 0: for metrics that have to settle first.
  int64_t start_from_epoch = 0;
  // When the training ends, put the weights back that the best score was measured with: those of the
  // validation, which may be an average, or of the end of the epoch for a metric of the training. It
  // is the last of the changes that callbacks make then, wherever they stand in the list. Costs two
  // copies of the model in memory, and one in every checkpoint. Off: the last weights stay, as in
  // Lightning.
  bool restore_best_weights = false;
};

class GRAPNEL_CORE_API EarlyStopping : public Callback, public MetricMonitor {
 public:
  // Why it stopped the run; checkpoints contain the numbers.
  enum class Reason : int64_t {
    not_stopped = 0,
    stopping_threshold = 1,
    divergence_threshold = 2,
    patience_exhausted = 3,
    non_finite_metric = 4,
  };

  // All that one section of run.json has.
  struct Settings {
    std::string monitor;
    EarlyStoppingOptions options = {};
  };

  // Throws ConfigError for an empty monitor, a negative patience or a min_delta that isn't a
  // number.
  explicit EarlyStopping(std::string monitor, EarlyStoppingOptions options = {});
  explicit EarlyStopping(Settings settings);

  static const OptionsTable<Settings>& options_table();

  // "EarlyStopping{'monitor': 'val_loss', 'mode': 'min'}", or the name.
  std::string state_key() const override;
  // {"wait_count", "stopped_epoch", "best_score", "patience", "stopping_reason",
  // "stopping_reason_message"}, and "best_weights" (names to tensors) with restore_best_weights.
  // Otherwise than in Lightning the given patience counts, and a resumed run that has been stopped
  // before stops at once, unless the given options say otherwise by now.
  StateDict state_dict() const override;
  void load_state_dict(const StateDict& state) override;
  bool monitors() const override { return true; }
  Watched watched_metric() const override { return {monitor_, options_.strict}; }

  void setup(StageEvent& event) override;
  void on_fit_start(Event& event) override;
  void on_validation_batch_start(EvalBatchStart& event) override;
  // Throw MetricError when the metric isn't there and `strict` is set.
  void on_train_epoch_end(Event& event) override;
  void on_validation_end(Event& event) override;
  void on_fit_end(Event& event) override;
  HookMask wanted(const HookMask& overridden) const override;

  const std::string& monitor() const { return monitor_; }
  int64_t patience() const { return options_.patience; }
  int64_t wait_count() const { return wait_count_; }        // checks since the best one
  int64_t stopped_epoch() const { return stopped_epoch_; }  // 0: not stopped
  double best_score() const { return best_score_; }         // infinite before the first check
  Reason stopping_reason() const { return reason_; }
  const std::optional<std::string>& stopping_reason_message() const { return message_; }

 private:
  struct Verdict {
    bool stop = false;
    std::string message;  // of a stop or an improvement; empty otherwise
  };
  // What a validation has measured, and with which weights.
  struct Measured {
    StateDict weights = {};
    // The metric's step and value before it, and then those that it has logged.
    std::optional<std::pair<int64_t, double>> metric = {};
    bool is_over = false;
  };

  void begin_anew();
  bool still_stops() const;
  void end_measuring(Event& event);
  StateDict weights_of_best(Event& event);
  std::optional<std::pair<int64_t, double>> metric_now(const Trainer& trainer) const;
  void check(Event& event);
  Verdict evaluate(double current);
  Verdict stop_for(Reason reason, std::string message);
  void warn_if_stale(int64_t metric_step);

  std::string monitor_;
  EarlyStoppingOptions options_;
  bool at_epoch_end_ = true;  // options_.check_on_train_epoch_end, resolved in setup
  int64_t wait_count_ = 0;
  int64_t stopped_epoch_ = 0;
  double best_score_;
  Reason reason_ = Reason::not_stopped;
  std::optional<std::string> message_;
  double stopped_at_ = 0;  // wait_count of a stop by patience, else the metric's value
  bool loaded_ = false;    // the state is a checkpoint's, of which nothing has come yet
  const Module* module_ = nullptr;
  StateDict best_weights_;
  Measured measured_;
  int64_t checked_step_ = -1;  // the metric's step at the last check
  bool warned_stale_ = false;
};

// "NOT_STOPPED", "STOPPING_THRESHOLD", ...
GRAPNEL_CORE_API std::string_view to_string(EarlyStopping::Reason reason);

}  // namespace grapnel
