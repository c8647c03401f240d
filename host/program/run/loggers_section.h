// Reads "loggers" of run.json and checks them before any is created.
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

// ConfigError with a position for an unknown name or unacceptable parameters.
[[nodiscard]] std::vector<LoggerPlan> read_loggers(const ConfigValue& section);

// Loggers without a directory write to the run directory; a second one of a name, which would write
// the same files, to its own directory there ("csv_1").
[[nodiscard]] std::vector<std::shared_ptr<Logger>> make_loggers(
    const std::vector<LoggerPlan>& plans, const std::filesystem::path& run_directory);

}  // namespace grapnel::program
