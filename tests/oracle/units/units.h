// Entries that need no trainer: one public function of the library each, called with recorded inputs.
#pragma once

#include "journal.h"

namespace grapnel::oracle {

// {"result", ...} in the form of `expect`. Throws grapnel::Error for an entry that this build lacks.
Json run_unit(const Case& test, Journal& journal);

}  // namespace grapnel::oracle
