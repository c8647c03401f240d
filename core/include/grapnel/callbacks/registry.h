// The built-in callbacks by name: what run.json may name under "callbacks", and what
// `grapnel callbacks list|show` prints. One more is one file and one row in registry.cpp; its class
// has the static function options_table().
//
//   "callbacks": {"early_stopping": {"monitor": "val_loss", "patience": 5}}
#pragma once

#include <string_view>

#include "grapnel/base/json.h"
#include "grapnel/callback.h"
#include "grapnel/export.h"
#include "grapnel/registry.h"

namespace grapnel {

using CallbackRegistry = Registry<CallbackHandle>;

// In the order of their names; "early_stopping" and "EarlyStopping" are the same.
GRAPNEL_CORE_API const CallbackRegistry& callback_registry();

// Whether the callback's very class is in the table, not only a base of it.
GRAPNEL_CORE_API bool is_built_in(const Callback& callback);

// callback_registry().make(): `context` is the path for errors, "callbacks.early_stopping".
GRAPNEL_CORE_API CallbackHandle make_callback(std::string_view name, const ConfigValue& config,
                                              std::string_view context);

}  // namespace grapnel
