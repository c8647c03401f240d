// Limits when a callback is called, without changing it:
//
//   CallbackHandle(std::make_shared<WeightHistogram>()).only({.every = CallSpan::steps(100)})
//   "callbacks": {"weight_histogram": {"every": {"steps": 100}, "after": {"epochs": 2}}}
//
//   every   when n steps or epochs have passed since the last time
//   after   only after the first n
//   first   only during the first n
//   last    only during the last n; needs trainer.max_steps or max_epochs
//   once    each hook only once, the first time the other conditions hold; kept in checkpoints
//
// Conditions given together must all hold. Steps are optimizer steps of the run and count from 1; a
// micro-batch belongs to the step that ends its accumulation window, a batch in which manual
// optimization makes several steps to the last of them: as many as the batch before made, or one of
// each optimizer. Epochs count from 1. In a Fabric both are counted from the loop's calls (fabric.h).
//
// A filter applies to hooks that recur during fit. In units of epochs: the hooks of training epochs
// and batches, of the optimization and of validation inside fit. `every` in units of steps: batches
// and optimization only. All other hooks are always called (setup and teardown, starts and ends of
// fit, train, validate, test and predict, the sanity check, checkpoints, exceptions, signals, the
// end of the run), so that a filtered callback can still acquire and release what it needs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "grapnel/base/json.h"
#include "grapnel/base/parameters.h"
#include "grapnel/export.h"
#include "grapnel/hook_mask.h"

namespace grapnel {

struct CallSpan {
  enum class Unit { steps, epochs };

  static CallSpan steps(int64_t count) { return {count, Unit::steps}; }
  static CallSpan epochs(int64_t count) { return {count, Unit::epochs}; }
  bool operator==(const CallSpan&) const = default;

  int64_t count = 1;  // at least 1
  Unit unit = Unit::steps;
};

struct CallFilter {
  std::optional<CallSpan> every = {};
  std::optional<CallSpan> after = {};
  std::optional<CallSpan> first = {};
  std::optional<CallSpan> last = {};
  bool once = false;

  bool operator==(const CallFilter&) const = default;
};

// Where a run is.
struct CallPosition {
  bool fitting = false;                // in fit, past the sanity check
  int64_t epoch = 0;                   // the current one, from 1; 0 before the first
  int64_t step = 0;                    // of the current or last batch, from 1
  std::optional<int64_t> epochs = {};  // in total; empty: unknown
  std::optional<int64_t> steps = {};   // in total; empty: unknown
};

// ConfigError for a count below 1.
GRAPNEL_CORE_API void check_filter(const CallFilter& filter, std::string_view context);

// ConfigError, naming the callback `who`, when the end that `last` counts from is unknown.
GRAPNEL_CORE_API void check_filter_end(const CallFilter& filter, const CallPosition& position,
                                       std::string_view who);

// Whether the filter applies to this hook at all.
GRAPNEL_CORE_API bool concerns(const CallFilter& filter, Hook hook);

// Whether all conditions but `once` hold at this position.
GRAPNEL_CORE_API bool admits(const CallFilter& filter, Hook hook, const CallPosition& position);

// The same for a user-defined event (Fabric): all conditions apply, and position.step is the number
// of the call, from 1.
GRAPNEL_CORE_API bool admits_event(const CallFilter& filter, const CallPosition& position);

// "every 100 steps, once": for plans and tables.
GRAPNEL_CORE_API std::string to_string(const CallFilter& filter);

}  // namespace grapnel
