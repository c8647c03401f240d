#include "grapnel/registry.h"

#include <fmt/format.h>

#include "grapnel/base/log.h"
#include "grapnel/base/text.h"

namespace grapnel {

ConfigError unknown_name(const SourcePosition& at, std::string_view context, std::string_view thing,
                         std::string_view name, std::span<const std::string> known) {
  const auto meant = nearest(name, known);
  return {at,
          fmt::format("there is no {} named {}{}; known are {}", thing, quote(name),
                      did_you_mean(meant), join_quoted(known, "and")),
          std::string(context), meant.value_or("")};
}

namespace detail {

std::string folded_name(std::string_view name, std::string_view suffix) {
  std::string out;
  for (const char c : name) {
    if (c == '_') continue;
    out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  if (out.ends_with(suffix)) out.erase(out.size() - suffix.size());
  return out;
}

NamedSection split_named_section(const ConfigValue& config, std::string_view context,
                                 std::string_view thing, std::span<const std::string> known) {
  if (config.is_string()) return {config, ConfigValue::object()};
  if (!config.is_object()) {
    throw config.error(fmt::format("'{}' must be the name of the {} or an object with a \"name\", "
                                   "found {}",
                                   context, thing, config.describe()),
                       std::string(context));
  }
  const std::string key = fmt::format("{}.name", context);
  const ConfigValue* name = config.find("name");
  if (name == nullptr) {
    throw config.error(fmt::format("'{}' does not say which {} is meant: \"name\" is missing; "
                                   "known are {}",
                                   context, thing, join_quoted(known, "and")),
                       key);
  }
  static_cast<void>(name->as_string(key));
  NamedSection section{*name, config};
  section.parameters.erase("name");
  return section;
}

void log_former_name(std::string_view thing, std::string_view former, std::string_view name,
                     std::string_view context) {
  log_info("the {} {} is called {} today; {} is taken as that", thing, quote(former), quote(name),
           context);
}

ConfigError located(const ConfigError& error, const ConfigValue& section,
                    std::string_view context) {
  if (error.line > 0 || !error.file.empty()) return error;
  if (error.key.empty()) return section.error(error.what(), std::string(context), error.nearest);
  const ConfigValue* value = section.find(error.key);
  return (value == nullptr ? section : *value)
      .error(error.what(), fmt::format("{}.{}", context, error.key), error.nearest);
}

}  // namespace detail
}  // namespace grapnel
