#include "loggers_section.h"

#include <fmt/format.h>

#include <utility>

#include <grapnel/base/error.h>
#include <grapnel/base/text.h>

#include "named_items.h"

namespace grapnel::program {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse_unknown(const NamedItem& item) {
  std::vector<std::string> known;
  for (const LoggerEntry& entry : logger_registry()) known.push_back(entry.name());
  const std::string meant = nearest(item.name, known).value_or("");
  throw ConfigError(item.position,
                    fmt::format("there is no logger {}{}; known are {}", quote(item.name),
                                meant.empty() ? "" : "; did you mean " + quote(meant) + "?",
                                join_quoted(known, "and")),
                    item.context, meant);
}

bool chooses_directory(const ConfigValue& parameters) {
  return parameters.contains("save_dir") || parameters.contains("name") ||
         parameters.contains("version");
}

}  // namespace

std::vector<LoggerPlan> read_loggers(const ConfigValue& section) {
  std::vector<LoggerPlan> plans;
  for (NamedItem& item : read_named_items(section, "loggers")) {
    const LoggerEntry* entry = find_logger_entry(item.name);
    if (entry == nullptr) refuse_unknown(item);
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
