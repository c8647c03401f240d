// The loggers by name: what run.json may name under "loggers". One more is one file and one row in
// registry.cpp; its class has the static function options_table().
//
//   "loggers": {"csv": {"name": "mnist"}, "tensorboard": {}}
#pragma once

#include <memory>
#include <string_view>

#include "grapnel/base/json.h"
#include "grapnel/export.h"
#include "grapnel/logger.h"
#include "grapnel/registry.h"

namespace grapnel {

using LoggerRegistry = Registry<std::shared_ptr<Logger>>;

// In the order of their names; "csv" and "CSVLogger" are the same.
GRAPNEL_CORE_API const LoggerRegistry& logger_registry();

// logger_registry().make(): `context` is the path for errors, "loggers.csv".
GRAPNEL_CORE_API std::shared_ptr<Logger> make_logger(std::string_view name,
                                                     const ConfigValue& config,
                                                     std::string_view context);

}  // namespace grapnel
