// --explain: the plan of a run. Its callbacks in order, with their origin and the reason for their
// position; and for each hook the callbacks that get it, in order.
#pragma once

#include <string>

#include <grapnel/base/json.h>

#include "session.h"

namespace grapnel::program {

[[nodiscard]] std::string explain_text(const Session& session);
// {"callbacks": [{"name", "type", "origin", "source", "reason", "state_key", "hooks": [...]}],
//  "hooks": {"on_train_start": ["ema", "module"], ...}}
[[nodiscard]] ConfigValue explain_json(const Session& session);

}  // namespace grapnel::program
