// The loggers by name: what run.json may name under "loggers". One more is one file and one row in
// registry.cpp.
//
//   "loggers": {"csv": {"name": "mnist"}, "tensorboard": {}}
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "grapnel/base/json.h"
#include "grapnel/base/parameters.h"
#include "grapnel/export.h"
#include "grapnel/logger.h"

namespace grapnel {

struct LoggerEntry {
  const ParameterTable& (*parameters)();
  std::shared_ptr<Logger> (*make)(const Parameters& parameters);

  const std::string& name() const { return parameters().name(); }        // "csv"
  const std::string& summary() const { return parameters().summary(); }  // one sentence
};

// In the order of their names.
GRAPNEL_CORE_API std::span<const LoggerEntry> logger_registry();

// By name or by class: "csv" and "CSVLogger" are the same. nullptr: there is none.
GRAPNEL_CORE_API const LoggerEntry* find_logger_entry(std::string_view name);

// `context` is the path of its configuration for error texts: "loggers.csv". Throws ConfigError,
// positioned, for a name that isn't known (naming the nearest), and for parameters that are not
// acceptable.
GRAPNEL_CORE_API std::shared_ptr<Logger> make_logger(std::string_view name,
                                                     const ConfigValue& config,
                                                     std::string_view context);

}  // namespace grapnel
