// The keys of a CallFilter in run.json, for the table of what every callback takes.
#pragma once

#include <vector>

#include "grapnel/base/options_table.h"
#include "grapnel/call_filter.h"

namespace grapnel {

// {"steps": n} or {"epochs": n}
template <>
struct OptionType<CallSpan> {
  static void describe(ParameterSpec& spec);
  static CallSpan read(const ConfigValue& value);
  static ConfigValue write(const CallSpan& span);
  static void check(const CallSpan& span);
};

// "every", "after", "first", "last" and "once"
std::vector<Option<CallFilter>> call_filter_options();

}  // namespace grapnel
