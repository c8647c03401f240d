#include "grapnel/callbacks/learning_rate_finder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "grapnel/base/text.h"
#include "grapnel/progress.h"
#include "grapnel/trainer.h"
#include "run/optimization.h"
#include "tuning/trial.h"
#include "tuning/tuned_attribute.h"
#include "values/exception_text.h"
#include "values/float_limits.h"

namespace grapnel {

namespace {

// Moves the rate from its first to its last value. The step after the first is skipped, as
// Lightning's own schedulers for this do, so that both ends are reached in as many steps.
class SweepLR final : public LRScheduler {
 public:
  SweepLR(std::shared_ptr<Optimizer> optimizer, const LearningRateFinderOptions& options)
      : LRScheduler(std::move(optimizer)), options_(options), current_(options.min_lr) {
    write();
  }

  std::string type_name() const override { return "SweepLR"; }
  double current() const { return current_; }

  void step(std::optional<double>) override {
    ++steps_;
    const double share =
        static_cast<double>(steps_ + 1) / static_cast<double>(options_.num_training_steps);
    current_ = options_.mode == LRSweep::linear
                   ? options_.min_lr + share * (options_.max_lr - options_.min_lr)
                   : options_.min_lr * std::pow(options_.max_lr / options_.min_lr, share);
    write();
  }

  // Nothing saves a search.
  StateDict state_dict() const override { return {}; }
  void load_state_dict(const StateDict&) override {}

 private:
  void write() {
    for (ParamGroup& group : optimizer().groups()) {
      group.options["lr"] = current_;
      if (steps_ == 0) group.options["initial_lr"] = current_;
    }
  }

  const LearningRateFinderOptions& options_;
  double current_;
  int64_t steps_ = 0;
};

// Notes the rate and the smoothed loss of every optimizer step, and stops when the loss diverges.
class SweepRecorder final : public Callback {
 public:
  SweepRecorder(const LearningRateFinderOptions& options, LRFindResult& result, int64_t start)
      : options_(options), result_(result), start_(start) {}

  const SweepLR* scheduler = nullptr;
  std::unique_ptr<Bar> bar;
  bool diverged = false;

  void on_train_batch_start(TrainBatchStart& event) override {
    if (ends_window(event.trainer)) result_.lr.push_back(scheduler->current());
  }

  void on_train_batch_end(TrainBatchEnd& event) override {
    Trainer& trainer = event.trainer;
    if (!ends_window(trainer)) return;
    const std::optional<double> loss = event.outputs.loss_value();
    if (!loss.has_value()) {
      result_.loss.push_back(std::numeric_limits<double>::quiet_NaN());
      return;
    }
    const int64_t step = trainer.global_step();
    if (bar != nullptr) bar->set_n(step - start_);
    average_ = kBeta * average_ + (1 - kBeta) * *loss;
    const double smoothed = average_ / (1 - std::pow(kBeta, static_cast<double>(step + 1)));
    result_.loss.push_back(smoothed);
    if (options_.early_stop_threshold.has_value() && best_.has_value() &&
        smoothed > *options_.early_stop_threshold * *best_) {
      diverged = true;
      Run::of(trainer).state.should_stop = true;
    }
    if (!best_.has_value() || smoothed < *best_) best_ = smoothed;
  }

 private:
  static constexpr double kBeta = 0.98;  // of the average's weight that stays

  static bool ends_window(const Trainer& trainer) {
    const RunState& state = trainer.state();
    return state.batch.current.ready % state.accumulate_grad_batches == 0;
  }

  const LearningRateFinderOptions& options_;
  LRFindResult& result_;
  int64_t start_;  // steps before the search
  double average_ = 0.0;
  std::optional<double> best_;
};

// In any case of letters.
struct SweepName : OptionType<std::string> {
  static LRSweep read(const ConfigValue& value) { return parse_lr_sweep(value.as_string()); }
  static ConfigValue write(LRSweep sweep) {
    return sweep == LRSweep::linear ? "linear" : "exponential";
  }
};

void check_lr_search(const Run& run) {
  const std::string_view where = run.hooks.running();
  if (run.state.kind != RunKind::fit ||
      (where != "on_fit_start" && where != "on_train_epoch_start")) {
    throw ConfigError({}, fmt::format("a learning rate can be searched for in on_fit_start or "
                                      "on_train_epoch_start of a fit, not in {}",
                                      where.empty() ? "this place" : where));
  }
}

void check_one_optimizer(const Run& run) {
  const bool none = dynamic_cast<const NoOptimizer*>(run.optimizers.at(0).get()) != nullptr;
  const size_t count = none ? 0 : run.optimizers.size();
  if (count != 1) {
    throw ConfigError({}, fmt::format("the learning-rate finder works with one optimizer, but "
                                      "configure_optimizers returned {}",
                                      count));
  }
  if (!run.module->automatic_optimization) {
    throw ConfigError({},
                      "the learning-rate finder works with automatic optimization alone: under "
                      "manual optimization nothing moves the rate between the steps");
  }
}

void log_end_of_search(const Run& trial, const SweepRecorder& recorder, int64_t wanted) {
  if (trial.global_step() >= wanted) return;
  log_info("the learning-rate search ended early, after {} steps: {}", trial.global_step(),
           recorder.diverged ? "the loss diverges" : "max_epochs is reached");
}

}  // namespace

LearningRateFinder::LearningRateFinder(LearningRateFinderOptions options)
    : options_(std::move(options)) {
  options_table().check(options_, "LearningRateFinder");
  if (options_.max_lr <= options_.min_lr) {
    throw ConfigError::of("max_lr",
                          "LearningRateFinder: max_lr is {}; it must be above min_lr, which is {}",
                          options_.max_lr, options_.min_lr);
  }
}

const OptionsTable<LearningRateFinderOptions>& LearningRateFinder::options_table() {
  using O = LearningRateFinderOptions;
  static const OptionsTable<O> table(
      "learning_rate_finder", "Searches for a learning rate before the fit and sets it.",
      {option("min_lr", &O::min_lr).above(0).at_most(kLargestFloat).doc("The first rate to try."),
       option("max_lr", &O::max_lr)
           .above(0)
           .at_most(kLargestFloat)
           .doc("The last rate to try; above min_lr."),
       option("num_training_steps", &O::num_training_steps)
           .at_least(1)
           .unit("optimizer steps")
           .doc("Steps from the first rate to the last."),
       option<SweepName>("mode", &O::mode)
           .doc("How the rate grows: exponential, by a factor, or linear, by an amount."),
       option("early_stop_threshold", &O::early_stop_threshold)
           .above(0)
           .doc("Ends when the loss is above so many times the least one; null: never."),
       option("update_attr", &O::update_attr).doc("Set the rate that was found."),
       option("attr_name", &O::attr_name)
           .doc("The model's attribute; empty: lr, else learning_rate."),
       option("plot", &O::plot)
           .null_when_empty()
           .doc("An SVG file of loss over rate, relative to the log directory; null: none.")});
  return table;
}

void LearningRateFinder::on_fit_start(Event& event) {
  lr_find(event);
}

void LearningRateFinder::lr_find(Event& event) {
  Run& run = Run::of(event.trainer);
  result_.reset();
  if (run.options.fast_dev_run != 0) {
    log_warning("the learning-rate finder does nothing under fast_dev_run");
    if (search_only_) throw SearchOnly();
    return;
  }
  check_lr_search(run);
  std::optional<TunedAttribute<double>> attribute;
  if (options_.update_attr) attribute = learning_rate_attribute(*run.module, options_.attr_name);

  LRFindResult result;
  result.mode = options_.mode;
  result.min_lr = options_.min_lr;
  result.max_lr = options_.max_lr;
  result.num_training_steps = options_.num_training_steps;
  const int64_t start = run.global_step();
  const auto recorder = std::make_shared<SweepRecorder>(options_, result, start);
  // Also when the search fails the fit's own data are there again, as before any batch.
  struct Reload {
    Run& run;
    int exceptions = std::uncaught_exceptions();
    ~Reload() noexcept(false) {
      try {
        run.loops->fit.setup_data();
      } catch (const std::exception& error) {
        // Not instead of what the search threw.
        if (std::uncaught_exceptions() == exceptions) throw;
        log_error("after the search, the training data could not be loaded: {}",
                  exception_text(error));
      }
    }
  };
  {
    const Reload reload{run};
    Trial trial(run, {recorder});
    Run& inner = trial.run();
    check_one_optimizer(inner);
    const auto scheduler = std::make_shared<SweepLR>(inner.optimizers[0], options_);
    recorder->scheduler = scheduler.get();
    inner.schedulers.clear();
    inner.schedulers.emplace_back();
    inner.schedulers.back().scheduler = scheduler;
    inner.schedulers.back().interval = Interval::step;
    inner.state.max_steps = start + options_.num_training_steps;
    // In a resumed fit it counts the epochs that are restored after the search.
    if (!run.checkpointing.path().empty()) inner.state.max_epochs = -1;
    inner.limits.val = options_.num_training_steps;
    const bool shows_progress =
        std::any_of(run.callbacks.begin(), run.callbacks.end(),
                    [](const CallbackHandle& handle) { return handle.callback->shows_progress(); });
    if (shows_progress && run.options.progress != nullptr) {
      recorder->bar = run.options.progress->make_bar(
          {.description = "Finding a learning rate", .leave = false});
      recorder->bar->set_total(options_.num_training_steps);
    }
    trial.loop().run();
    if (recorder->bar != nullptr) recorder->bar->close();
    log_end_of_search(inner, *recorder, inner.state.max_steps);
    result.total_batch_idx = inner.state.batch.total.ready - 1;
  }
  result.loss.resize(result.lr.size(), std::numeric_limits<double>::quiet_NaN());
  result_ = std::move(result);
  if (!options_.plot.empty()) result_->plot(event.trainer.log_dir() / options_.plot);
  if (attribute.has_value()) {
    if (const auto rate = result_->suggestion()) {
      attribute->set(*rate);
      for (ParamGroup& group : run.optimizers[0]->groups()) group.options["lr"] = *rate;
      log_info("the learning rate is set to {}", *rate);
    }
  }
  if (search_only_) throw SearchOnly();
}

}  // namespace grapnel
