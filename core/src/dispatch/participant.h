// The private parts of Dispatcher: callbacks in its list, and what the files of its implementation share.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "grapnel/dispatcher.h"
#include "grapnel/every_n.h"

namespace grapnel {

// Without a profiler, one call in so many is timed.
inline constexpr uint32_t kTimedOneIn = 256;

// A callback, with what applies to all of its hooks.
struct Dispatcher::Participant {
  Callback* callback;
  std::string label;
  OnError on_error;
  std::optional<CallFilter> filter;
  bool disabled = false;
  EveryN every = EveryN::from_start();  // the filter's, in steps
  // Calls that the filter `once` has let through.
  HookMask came = {};
  std::set<std::string, std::less<>> events_that_came = {};
};

// A callback in a hook or event that is called by name.
struct Dispatcher::EventReceiver {
  Receiver counted;
  int64_t offered = 0;  // calls, including those that a filter held back
};

// Logs the exception being handled, of a hook that is called when a run ends.
void log_failure_at_end(const std::string& who, std::string_view hook);

}  // namespace grapnel
