// Finds the largest batch size that fits into memory before a run begins: tries a few steps with
// larger and larger batches until they fail for want of memory, puts everything back, and sets the
// size.
//
//   BatchSizeFinder({.mode = BatchSizeSearch::binsearch})
//
// After Lightning's class of that name, with its numbers. The size is the attribute "batch_size" of
// the module or data module (integer_attribute, or a hyper-parameter of that name); their loader
// functions are asked for new loaders at each size. Before a fit it tries training steps, before
// validate, test and predict those. The trials run without the other callbacks and loggers.
// Also after an error, weights, gradients, the optimizer, counters and random numbers are
// afterwards as they were, and after an error so is the size. It keeps no state.
//
// As in Lightning the first trial still runs with the loaders of the size that was set before, so
// that init_val itself is only tried when it comes up again; and with power the size may end above
// max_val, by less than twice.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "grapnel/base/options_table.h"
#include "grapnel/callback.h"
#include "grapnel/export.h"

namespace grapnel {

enum class BatchSizeSearch {
  power,      // doubles until it fails, then takes the half
  binsearch,  // then bisects between the last that went well and the first that failed
};

// "power" or "binsearch", in any case; throws ConfigError naming both.
GRAPNEL_CORE_API BatchSizeSearch parse_batch_size_search(const std::string& text);

struct BatchSizeFinderOptions {
  BatchSizeSearch mode = BatchSizeSearch::power;
  int64_t steps_per_trial = 3;  // batches; at least 1
  int64_t init_val = 2;         // the size to start with, at least 1
  int64_t max_trials = 25;      // at least 1; with binsearch, of those that go well
  std::string batch_arg_name = "batch_size";
  double margin = 0.05;    // binsearch: share of the found size to give up, in [0, 1)
  int64_t max_val = 8192;  // the search ends there; at least 1
};

class GRAPNEL_CORE_API BatchSizeFinder : public Callback {
 public:
  // Throws ConfigError for a value out of range.
  explicit BatchSizeFinder(BatchSizeFinderOptions options = {});

  static const OptionsTable<BatchSizeFinderOptions>& options_table();

  // What was found; before a search init_val; nothing under fast_dev_run, which skips it.
  std::optional<int64_t> optimal_batch_size() const { return optimal_; }

  // Throws ConfigError when loaders were passed, which can't be made again, when an evaluation has
  // several, or when there is no such attribute.
  void setup(StageEvent& event) override;
  void on_fit_start(Event& event) override;
  void on_validation_start(Event& event) override;  // of validate alone
  void on_test_start(Event& event) override;
  void on_predict_start(Event& event) override;
  Place place() const override { return Place::tuner; }

  // Searches now, in one of the hooks above. Throws what a step throws, unless it is for want of
  // memory.
  void scale_batch_size(Event& event);

 private:
  friend class Tuner;
  BatchSizeFinderOptions options_;
  std::optional<int64_t> optimal_;
  bool search_only_ = false;  // the run ends with the search
};

}  // namespace grapnel
