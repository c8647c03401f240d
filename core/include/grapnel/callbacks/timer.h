// Stops the training after a given time, and measures how long each stage took.
//
//   Timer({.duration = 12 * 3600.0})
//
// After Lightning's class of that name. Time is that of the trainer's clock. The training's time
// includes the validation inside it; a resumed run counts the time of the runs before it.
// min_epochs and min_steps may defer the stop.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "grapnel/base/clock.h"
#include "grapnel/base/options_table.h"
#include "grapnel/callback.h"
#include "grapnel/export.h"
#include "grapnel/lr_scheduler.h"
#include "grapnel/run_state.h"

namespace grapnel {

struct TimerOptions {
  std::optional<double> duration = {};  // seconds of training, at least 0; unset: no limit
  Interval interval = Interval::step;   // when to look at the clock
  bool verbose = true;                  // log every time the limit is found to be reached
};

class GRAPNEL_CORE_API Timer : public Callback {
 public:
  // Throws ConfigError when the duration is negative or not a number.
  explicit Timer(TimerOptions options = {});

  static const OptionsTable<TimerOptions>& options_table();

  // Readings of the clock in seconds; nothing before the stage has started or ended.
  std::optional<double> start_time(Stage stage = Stage::train) const;
  std::optional<double> end_time(Stage stage = Stage::train) const;
  // Seconds spent in a stage, the running one included; of training, over all runs it was resumed
  // from.
  double time_elapsed(Stage stage = Stage::train) const;
  // Seconds left, below 0 past the limit; nothing without a limit.
  std::optional<double> time_remaining(Stage stage = Stage::train) const;
  std::optional<double> duration() const { return options_.duration; }

  // {"time_elapsed": {"train", "sanity_check", "validate", "test", "predict"}}; only "train" is
  // restored.
  StateDict state_dict() const override;
  void load_state_dict(const StateDict& state) override;
  bool bounds_run() const override { return options_.duration.has_value(); }

  void setup(StageEvent& event) override;
  void on_fit_start(Event& event) override;
  void on_train_start(Event& event) override;
  void on_train_end(Event& event) override;
  void on_validation_start(Event& event) override;
  void on_validation_end(Event& event) override;
  void on_test_start(Event& event) override;
  void on_test_end(Event& event) override;
  void on_train_batch_end(TrainBatchEnd& event) override;
  void on_train_epoch_end(Event& event) override;
  HookMask wanted(const HookMask& overridden) const override;

 private:
  struct Span {
    std::optional<double> start;
    std::optional<double> end;
  };
  Span& span(Stage stage) { return spans_.at(static_cast<size_t>(stage)); }
  const Span& span(Stage stage) const { return spans_.at(static_cast<size_t>(stage)); }
  void begin(Stage stage);
  void stop_if_over(Trainer& trainer);

  TimerOptions options_;
  const Clock* clock_;
  std::array<Span, 6> spans_;  // by Stage
  double offset_ = 0.0;        // seconds of training before this process
};

}  // namespace grapnel
