// --explain: the plan of a run. Which callbacks it has, in which order, from where and why there; and for
// each hook whom it reaches, in order.
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
