// What every callback takes in run.json next to its own options: when it is called (call_filter.h),
// what happens when it throws, and a label.
//
//   "callbacks": {"device_stats_monitor": {"every": {"steps": 100}, "on_error": "disable"}}
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "grapnel/base/options_table.h"
#include "grapnel/call_filter.h"
#include "grapnel/callback.h"
#include "grapnel/export.h"

namespace grapnel {

struct CallbackKeys {
  CallFilter filter = {};
  OnError on_error = OnError::fail;
  std::string label = {};  // empty: none
};

GRAPNEL_CORE_API const OptionsTable<CallbackKeys>& callback_keys_table();

// Takes these keys out of a callback's section of run.json, except those that are options of its
// `own`. `context` is the section's path. ConfigError, positioned, for a value that is not accepted,
// and for an unknown key that is a likely typo of one of these.
GRAPNEL_CORE_API CallbackKeys take_callback_keys(ConfigValue& section, const ParameterTable& own,
                                                 std::string_view context);

}  // namespace grapnel
