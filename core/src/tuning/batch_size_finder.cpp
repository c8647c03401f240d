#include "grapnel/callbacks/batch_size_finder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "grapnel/base/text.h"
#include "grapnel/trainer.h"
#include "tuning/batch_size_search.h"
#include "values/exception_text.h"

namespace grapnel {

namespace {

Loop& loop_of(Run& run) {
  return run.loops->of(run.state.kind);
}

size_t count_eval_loaders(Run& run) {
  if (run.fitting()) return 1;
  loop_of(run).setup_data();
  return loop_of(run).loaders().loaders.size();
}

}  // namespace

BatchSizeSearch parse_batch_size_search(const std::string& text) {
  std::string lower = text;
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (lower == "power") return BatchSizeSearch::power;
  if (lower == "binsearch") return BatchSizeSearch::binsearch;
  throw ConfigError(
      {}, fmt::format("mode={} is not possible; it must be 'power' or 'binsearch'", quote(text)),
      "mode");
}

namespace {

// In any case of letters.
struct SearchName : OptionType<std::string> {
  static BatchSizeSearch read(const ConfigValue& value) {
    return parse_batch_size_search(value.as_string());
  }
  static ConfigValue write(BatchSizeSearch search) {
    return search == BatchSizeSearch::power ? "power" : "binsearch";
  }
};

}  // namespace

BatchSizeFinder::BatchSizeFinder(BatchSizeFinderOptions options) : options_(std::move(options)) {
  options_table().check(options_, "BatchSizeFinder");
  optimal_ = options_.init_val;
}

const OptionsTable<BatchSizeFinderOptions>& BatchSizeFinder::options_table() {
  using O = BatchSizeFinderOptions;
  static const OptionsTable<O> table(
      "batch_size_finder", "Searches for the largest batch size that fits into memory and sets it.",
      {option<SearchName>("mode", &O::mode)
           .doc("power: doubles until it fails; binsearch: bisects after that."),
       option("steps_per_trial", &O::steps_per_trial)
           .at_least(1)
           .unit("batches")
           .doc("Training steps per size that is tried."),
       option("init_val", &O::init_val).at_least(1).unit("samples").doc("The size to start with."),
       option("max_trials", &O::max_trials).at_least(1).doc("Sizes to try at most."),
       option("batch_arg_name", &O::batch_arg_name).doc("The attribute of the model or the data."),
       option("margin", &O::margin)
           .at_least(0)
           .below(1)
           .doc("With binsearch, the share of the found size to give up."),
       option("max_val", &O::max_val)
           .at_least(1)
           .unit("samples")
           .doc("The search ends at this size.")});
  return table;
}

void BatchSizeFinder::setup(StageEvent& event) {
  Run& run = Run::of(event.trainer);
  const std::string_view kind = to_string(event.run);
  if (run.data.loaders) {
    throw ConfigError({},
                      fmt::format("the batch-size finder can't be used with dataloaders that are "
                                  "passed to {}: they can't be made again with another size. Give "
                                  "a data module, or define the dataloader in the module",
                                  kind));
  }
  if (const size_t loaders = count_eval_loaders(run); loaders > 1) {
    throw ConfigError({},
                      fmt::format("the batch-size finder can't be used with several dataloaders; "
                                  "{} has {}",
                                  kind, loaders));
  }
  batch_size_attribute(*run.module, run.data.module, options_.batch_arg_name);
}

void BatchSizeFinder::on_fit_start(Event& event) {
  scale_batch_size(event);
}
void BatchSizeFinder::on_validation_start(Event& event) {
  if (event.trainer.state().kind == RunKind::validate) scale_batch_size(event);
}
void BatchSizeFinder::on_test_start(Event& event) {
  scale_batch_size(event);
}
void BatchSizeFinder::on_predict_start(Event& event) {
  scale_batch_size(event);
}

void BatchSizeFinder::scale_batch_size(Event& event) {
  Run& run = Run::of(event.trainer);
  if (run.options.fast_dev_run != 0) {
    log_warning("the batch-size finder does nothing under fast_dev_run");
    optimal_.reset();
  } else {
    const auto attribute =
        batch_size_attribute(*run.module, run.data.module, options_.batch_arg_name);
    const int64_t before = attribute.get();
    try {
      Trial trial(run, {});
      optimal_ = BatchSizeTrials(trial, options_, attribute).run();
    } catch (...) {
      attribute.set(before);
      try {
        loop_of(run).reload();
      } catch (const std::exception& error) {
        log_error("after the search, the data could not be loaded: {}", exception_text(error));
      }
      throw;
    }
    loop_of(run).reload();
  }
  if (search_only_) throw SearchOnly();
}

}  // namespace grapnel
