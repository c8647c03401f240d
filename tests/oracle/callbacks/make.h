// Makes the callbacks of a case from their specs {"type", "args"}.
#pragma once

#include <grapnel/callback.h>

#include <string>
#include <vector>

#include "journal.h"

namespace grapnel::oracle {

// Throws ConfigError for arguments that the callback refuses, and grapnel::Error for a type that this
// build lacks.
CallbackHandle make_callback(const Json& spec, Journal& journal);
std::vector<CallbackHandle> make_callbacks(const Json& specs, Journal& journal);

}  // namespace grapnel::oracle
