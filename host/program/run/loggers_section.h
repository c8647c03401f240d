// "loggers" of run.json: which they are, checked before anything is made.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <grapnel/base/json.h>
#include <grapnel/loggers/registry.h>

namespace grapnel::program {

struct LoggerPlan {
  const LoggerRegistry::Entry* entry;
  ConfigValue parameters;
  std::string context;
};

// ConfigError, positioned, for a name that isn't known and for parameters that are not acceptable.
[[nodiscard]] std::vector<LoggerPlan> read_loggers(const ConfigValue& section);

// Those that say nothing of a directory write into the run's.
[[nodiscard]] std::vector<std::shared_ptr<Logger>> make_loggers(
    const std::vector<LoggerPlan>& plans, const std::filesystem::path& run_directory);

}  // namespace grapnel::program
