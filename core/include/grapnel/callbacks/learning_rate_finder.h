// Finds a learning rate to train with before a fit begins: trains for some steps while the rate
// grows, looks where the loss falls fastest, puts everything back and sets the rate.
//
//   LearningRateFinder({.min_lr = 1e-6, .plot = "lr.svg"})
//
// After Lightning's class of that name (the method: Smith, "Cyclical Learning Rates for Training
// Neural Networks", 2017). The search runs on the training data with the module's own optimizer and
// loss, without the other callbacks and loggers. Also after an error, weights, gradients, the
// optimizer, the schedulers, counters and random numbers are afterwards as they were; nothing is
// written to disk. The rate that was found becomes the module's attribute "lr" or "learning_rate"
// (Module::number_attribute, or a number of that name among its hyper_parameters), and that of
// every group of the optimizer. It keeps no state.
//
// To search at other moments, derive, override on_fit_start to do nothing, and call lr_find in
// on_train_epoch_start.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "grapnel/base/options_table.h"
#include "grapnel/callback.h"
#include "grapnel/export.h"
#include "grapnel/lr_find_result.h"

namespace grapnel {

struct LearningRateFinderOptions {
  double min_lr = 1e-8;              // the first rate, above 0
  double max_lr = 1.0;               // the last one, above min_lr
  int64_t num_training_steps = 100;  // optimizer steps between them
  LRSweep mode = LRSweep::exponential;
  // The search ends when the smoothed loss is above so many times the least one; unset: never.
  std::optional<double> early_stop_threshold = 4.0;
  bool update_attr = true;          // set what was found
  std::string attr_name = {};       // the module's attribute; empty: "lr", else "learning_rate"
  std::filesystem::path plot = {};  // an SVG to write, relative to the log directory; empty: none
};

class GRAPNEL_CORE_API LearningRateFinder : public Callback {
 public:
  // Throws ConfigError for rates, steps or a threshold out of range.
  explicit LearningRateFinder(LearningRateFinderOptions options = {});

  static const OptionsTable<LearningRateFinderOptions>& options_table();

  // What the last search found; nothing before it, and under fast_dev_run, which skips it.
  const std::optional<LRFindResult>& optimal_lr() const { return result_; }

  void on_fit_start(Event& event) override;
  Place place() const override { return Place::tuner; }

  // Searches now, from on_fit_start or on_train_epoch_start. Throws ConfigError elsewhere, for
  // anything but one optimizer under automatic optimization, and for an attribute that isn't there;
  // and what a training step throws.
  void lr_find(Event& event);

 private:
  friend class Tuner;
  LearningRateFinderOptions options_;
  std::optional<LRFindResult> result_;
  bool search_only_ = false;  // the run ends with the search
};

}  // namespace grapnel
