// When a callback is called, said from outside of it, for any callback:
//
//   CallbackHandle(std::make_shared<WeightHistogram>()).only({.every = CallSpan::steps(100)})
//   "callbacks": {"weight_histogram": {"every": {"steps": 100}, "after": {"epochs": 2}}}
//
//   every   one step, or epoch, out of so many: the n-th, the 2n-th, ...
//   after   not before so many have passed
//   first   only during the first so many
//   last    only during the last so many; the run must know where it ends
//   once    each hook the first time that the others let it through; a resumed run remembers it
//
// Given together, all of them must hold. Steps are optimizer steps of the run, counted from 1: a
// micro-batch belongs to the step that its accumulation window ends with. Epochs count from 1 too.
//
// A filter concerns what recurs during fit. In units of epochs, that is the hooks of training epochs
// and batches, of the optimization and of the validation within; `every` in units of steps concerns
// batches and optimization alone. Everything else always passes: setup and teardown, starts and ends
// of fit, train, validate, test and predict, the sanity check, checkpoints and state, exceptions,
// signals and the run's end, so that a filtered callback still opens and closes what it holds.
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
  bool fitting = false;  // in fit, past the sanity check
  int64_t epoch = 0;     // the current one, from 1; 0 before the first
  int64_t step = 0;      // the one that the current or the last batch belongs to, from 1
  std::optional<int64_t> epochs = {};  // all of them; nothing when nobody knows
  std::optional<int64_t> steps = {};
};

// ConfigError for a count below 1.
GRAPNEL_CORE_API void check_filter(const CallFilter& filter, std::string_view context);

// ConfigError, naming the callback `who`, when the run doesn't know the end that `last` counts from.
GRAPNEL_CORE_API void check_filter_end(const CallFilter& filter, const CallPosition& position,
                                       std::string_view who);

// Does a filter ever keep this hook from being called? For the others, no question is asked.
GRAPNEL_CORE_API bool concerns(const CallFilter& filter, Hook hook);

// Does every condition but `once` hold here?
GRAPNEL_CORE_API bool admits(const CallFilter& filter, Hook hook, const CallPosition& position);

// The same for a user-defined event (Fabric): every condition concerns it, and position.step is the
// number of the call, from 1.
GRAPNEL_CORE_API bool admits_event(const CallFilter& filter, const CallPosition& position);

// Takes the keys of a filter out of an object of parameters, but those that are parameters of the
// callback itself; nothing when none is there. ConfigError, positioned, for anything but
// {"steps": n} or {"epochs": n}, and true or false for once.
GRAPNEL_CORE_API std::optional<CallFilter> take_filter(ConfigValue& parameters,
                                                       const ParameterTable& own,
                                                       std::string_view context);

// "every 100 steps, once": for plans and tables.
GRAPNEL_CORE_API std::string to_string(const CallFilter& filter);

}  // namespace grapnel
