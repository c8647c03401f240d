#include "loggers_section.h"

#include <fmt/format.h>

#include <map>
#include <string>
#include <utility>

#include <grapnel/base/error.h>

#include "named_items.h"

namespace grapnel::program {
namespace {

namespace fs = std::filesystem;

bool chooses_directory(const ConfigValue& parameters) {
  return parameters.contains("save_dir") || parameters.contains("name") ||
         parameters.contains("version");
}

}  // namespace

std::vector<LoggerPlan> read_loggers(const ConfigValue& section) {
  std::vector<LoggerPlan> plans;
  for (NamedItem& item : read_named_items(section, "loggers")) {
    const LoggerRegistry::Entry* entry = logger_registry().find(item.name);
    if (entry == nullptr) {
      throw unknown_name(item.position, item.context, "logger", item.name,
                         logger_registry().names());
    }
    if (!item.enabled) continue;
    (void)entry->parameters().validate(item.parameters, item.context);
    plans.push_back({entry, std::move(item.parameters), std::move(item.context)});
  }
  return plans;
}

std::vector<std::shared_ptr<Logger>> make_loggers(const std::vector<LoggerPlan>& plans,
                                                  const fs::path& run_directory) {
  const fs::path directory = fs::absolute(run_directory).lexically_normal();
  std::vector<std::shared_ptr<Logger>> loggers;
  std::map<std::string, int> in_run_directory;  // loggers of a name
  for (const LoggerPlan& plan : plans) {
    ConfigValue parameters = plan.parameters;
    if (plan.entry->parameters().find("save_dir") != nullptr && !chooses_directory(parameters)) {
      const int former = in_run_directory[std::string(plan.entry->name())]++;
      const fs::path own =
          former == 0 ? directory : directory / fmt::format("{}_{}", plan.entry->name(), former);
      parameters.set("save_dir", own.parent_path().string());
      parameters.set("name", "");
      parameters.set("version", own.filename().string());
    }
    loggers.push_back(make_logger(plan.entry->name(), parameters, plan.context));
  }
  return loggers;
}

}  // namespace grapnel::program
