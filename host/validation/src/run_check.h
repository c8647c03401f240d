// One check of a plugin in this process: in the child, or for a debugger.
#pragma once

#include "check.h"

namespace grapnel::validation {

// Loads the plugin, once a process, and runs the check in options.directory.
[[nodiscard]] Verdict run_check(const Check& check, const ValidationChildOptions& options);

}  // namespace grapnel::validation
