#include "loggers_section.h"

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
  for (const LoggerPlan& plan : plans) {
    ConfigValue parameters = plan.parameters;
    if (plan.entry->parameters().find("save_dir") != nullptr && !chooses_directory(parameters)) {
      parameters.set("save_dir", directory.parent_path().string());
      parameters.set("name", "");
      parameters.set("version", directory.filename().string());
    }
    loggers.push_back(make_logger(plan.entry->name(), parameters, plan.context));
  }
  return loggers;
}

}  // namespace grapnel::program
