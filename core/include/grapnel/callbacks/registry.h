// The built-in callbacks by name: what run.json may name under "callbacks", and what
// `grapnel callbacks list|show` prints. One more is one file and one row in registry.cpp.
//
//   "callbacks": {"early_stopping": {"monitor": "val_loss", "patience": 5}}
//
// A callback that was renamed goes on under its former names too, with a message that names today's.
//
// A class in the table has two static functions: `const ParameterTable& parameters()`, whose name
// and summary are the entry's, and `std::shared_ptr<T> from(const Parameters&)`. One that adds
// metrics that others can monitor is a MetricSource (metric_names.h): nobody asks whether a class of
// this table may log something else.
#pragma once

#include <span>
#include <string_view>
#include <typeinfo>

#include "grapnel/base/json.h"
#include "grapnel/base/parameters.h"
#include "grapnel/callback.h"
#include "grapnel/export.h"

namespace grapnel {

struct CallbackEntry {
  const ParameterTable& (*parameters)();
  CallbackHandle (*make)(const Parameters& parameters);
  const std::type_info* type;
  std::span<const std::string_view> former_names = {};  // the latest first

  const std::string& name() const { return parameters().name(); }        // "early_stopping"
  const std::string& summary() const { return parameters().summary(); }  // one sentence
};

// In the order of their names.
GRAPNEL_CORE_API std::span<const CallbackEntry> callback_registry();

// By name or by class: "early_stopping" and "EarlyStopping" are the same. nullptr: there is none.
GRAPNEL_CORE_API const CallbackEntry* find_callback_entry(std::string_view name);
// By a former name, written either way: "lr_logger", "LearningRateLogger".
GRAPNEL_CORE_API const CallbackEntry* find_renamed_callback(std::string_view name);

// Whether the callback's very class is in the table, not only a base of it.
GRAPNEL_CORE_API bool is_built_in(const Callback& callback);

// Makes a callback of that name. `context` is the path of its configuration for error texts:
// "callbacks.early_stopping". A former name is taken, with an info message. Throws ConfigError,
// positioned, for a name that isn't known (naming the nearest), and for parameters that are not
// acceptable.
GRAPNEL_CORE_API CallbackHandle make_callback(std::string_view name, const ConfigValue& config,
                                              std::string_view context);

}  // namespace grapnel
