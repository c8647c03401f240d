// run_time_estimator: estimates the remaining time of the training; estimate.h has the formula.
//
//   eta_seconds   until the last planned batch has been trained; a stop may come sooner
//
// is logged with the loggers, and a line at intervals. With max_time, its own or the trainer's, it
// warns once when the training will not end in time, and says how far it will get. Validations are
// included after the first one; a resumed training knows their duration from its checkpoint. Without
// max_epochs and max_steps, and in the first epoch of data of unknown length, there is no estimate.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include <grapnel/plugin.hpp>

#include "estimate.h"

namespace {

using namespace grapnel::plugin;
using run_time::Estimate;
using run_time::in_words;

constexpr std::int64_t enough_batches = 20;  // for a warning: fewer say too little

double now() {
  using namespace std::chrono;
  return duration<double>(steady_clock::now().time_since_epoch()).count();
}

class RunTimeEstimator final : public Callback {
 public:
  explicit RunTimeEstimator(const Params& params)
      : window_(params.get("window", 100)),
        report_every_(params.get("report_every", 300.0)),
        max_time_(params.find<double>("max_time")),
        prog_bar_(params.get("prog_bar", false)),
        estimate_(window_) {}

  void setup(StageEvent& event) override {
    if (event.run_kind() != RunKind::fit || event.global_step() > 0) return;
    elapsed_before_ = 0;  // of another training
    known_ = {};
  }

  void on_train_start(Event& event) override {
    estimate_ = Estimate(window_);
    estimate_.go_on_from(known_);
    start_ = reported_ = now();
    batch_began_.reset();
    warned_ = false;
    stepped_ = {};
    first_step_ = event.global_step();
    if (!event.max_epochs() && !event.max_steps()) {
      event.log_info("neither max_epochs nor max_steps is set, so the remaining time is unknown");
    }
  }

  void on_train_batch_start(TrainBatchStart&) override {
    if (!batch_began_) batch_began_ = now();
  }

  void on_train_batch_end(TrainBatchEnd& event) override {
    const double time = now();
    estimate_.add_batch(time - batch_began_.value_or(time));
    batch_began_ = time;
    batches_in_epoch_ = event.batch_idx() + 1;
    if (event.global_step() > first_step_ + stepped_.steps) {
      stepped_ = {event.global_step() - first_step_, estimate_.batches()};
    }

    const bool reports = time - reported_ >= report_every_;
    const auto max_time = max_time_ ? max_time_ : event.max_time();
    const bool may_warn = max_time && !warned_ && estimate_.batches() >= enough_batches;
    if (!event.is_logging_step() && !reports && !may_warn) return;
    const auto batches = batches_left(event);
    if (!batches) return;
    const double left = *estimate_.seconds_left(*batches);
    if (event.is_logging_step()) {
      LogOptions options;
      options.on_step = true;
      options.prog_bar = prog_bar_;
      event.log("eta_seconds", left, options);
    }
    if (reports) report(event, time, left);
    if (may_warn) compare_with(*max_time, event, time, *batches, left);
  }

  void on_train_epoch_end(Event&) override { epoch_length_ = batches_in_epoch_; }

  void on_validation_start(Event& event) override {
    if (event.run_kind() == RunKind::fit && !event.sanity_checking()) validation_began_ = now();
  }
  void on_validation_end(Event&) override {
    if (!validation_began_) return;
    const double seconds = now() - *validation_began_;
    validation_began_.reset();
    estimate_.add_validation(seconds);
    if (batch_began_) *batch_began_ += seconds;  // none of the next batch's time
  }

  void on_train_end(Event&) override {
    elapsed_before_ = elapsed();
    known_ = estimate_.validations();
    start_.reset();
  }

  void save_state(StateWriter& state) const override {
    const Estimate::Validations seen = start_ ? estimate_.validations() : known_;
    state.put("elapsed_seconds", elapsed());
    state.put("validations", seen.count);
    state.put("validation_seconds", seen.seconds);
    state.put("validation_batches", seen.batches);
    state.put("batches_since_validation", seen.batches_since);
  }
  void load_state(const StateReader& state) override {
    const auto elapsed_seconds = state.get<double>("elapsed_seconds");
    Estimate::Validations known;
    known.count = state.get<std::int64_t>("validations");
    known.seconds = state.get<double>("validation_seconds");
    known.batches = state.get<std::int64_t>("validation_batches");
    known.batches_since = state.get<std::int64_t>("batches_since_validation");
    elapsed_before_ = elapsed_seconds;
    known_ = known;
  }

 private:
  /// Optimizer steps that the training has made, and its batches when it made the last of them.
  struct Stepped {
    std::int64_t steps = 0;
    std::int64_t batches = 0;
  };

  double elapsed() const { return elapsed_before_ + (start_ ? now() - *start_ : 0); }

  // Until whichever limit comes first; empty while neither is known.
  std::optional<double> batches_left(const TrainBatchEnd& event) const {
    std::optional<double> left;
    const std::int64_t length = event.num_training_batches().value_or(epoch_length_);
    if (event.max_epochs() && length > 0) {
      const std::int64_t epochs = *event.max_epochs() - event.current_epoch() - 1;
      const std::int64_t in_epoch = event.is_last_batch() ? 0 : length - event.batch_idx() - 1;
      left = static_cast<double>(std::max<std::int64_t>(0, epochs * length + in_epoch));
    }
    if (event.max_steps()) {
      // Manual optimization may make several steps in a batch, accumulation one in several batches.
      const double per_step =
          stepped_.steps == 0
              ? static_cast<double>(event.accumulate_grad_batches())
              : static_cast<double>(stepped_.batches) / static_cast<double>(stepped_.steps);
      const auto steps = std::max<std::int64_t>(0, *event.max_steps() - event.global_step());
      const double until_limit = static_cast<double>(steps) * per_step;
      left = left ? std::min(*left, until_limit) : until_limit;
    }
    return left;
  }

  void report(const TrainBatchEnd& event, double time, double left) {
    reported_ = time;
    event.log_info("about " + in_words(left) + " left after " + in_words(elapsed()) + ", " +
                   progress(event, 0));
  }

  void compare_with(double max_time, const TrainBatchEnd& event, double time, double batches,
                    double left) {
    const double time_left = max_time - elapsed_before_ - (time - *start_);
    if (left <= time_left) return;
    warned_ = true;
    const double trainable = std::max(0.0, time_left) / left * batches;
    event.log_warning("the training takes about " + in_words(left) + " more, but max_time leaves " +
                      in_words(time_left) + ", enough for " + progress(event, trainable));
  }

  // "4.2 of 20 epochs": where the training is after so many more batches.
  std::string progress(const TrainBatchEnd& event, double more_batches) const {
    const std::int64_t length = event.num_training_batches().value_or(epoch_length_);
    if (length <= 0) return std::to_string(event.global_step()) + " steps";
    const double in_epoch = static_cast<double>(event.batch_idx() + 1) + more_batches;
    const double epochs =
        static_cast<double>(event.current_epoch()) + in_epoch / static_cast<double>(length);
    const std::string text = run_time::with_tenths(epochs);
    if (const auto all = event.max_epochs())
      return text + " of " + std::to_string(*all) + " epochs";
    return text + " epochs";
  }

  std::int64_t window_;             // batches
  double report_every_;             // seconds
  std::optional<double> max_time_;  // seconds, of the whole training; unset: the trainer's
  bool prog_bar_;

  Estimate estimate_;
  double elapsed_before_ = 0;    // seconds of training before this part of it
  Estimate::Validations known_;  // when this part began
  std::optional<double> start_;  // while training
  double reported_ = 0;          // when the last line was logged
  bool warned_ = false;
  std::optional<double> batch_began_;  // validations since then taken out
  std::optional<double> validation_began_;
  std::int64_t first_step_ = 0;  // global_step when this part began
  Stepped stepped_;
  std::int64_t batches_in_epoch_ = 0;
  std::int64_t epoch_length_ = 0;  // of the last whole epoch; 0 before
};

}  // namespace

GRAPNEL_PLUGIN(grapnel::plugin::callback<RunTimeEstimator>("run_time_estimator"))
