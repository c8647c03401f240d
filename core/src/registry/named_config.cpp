#include "registry/named_config.h"

#include <fmt/format.h>

#include <algorithm>

#include "grapnel/base/text.h"

namespace grapnel {

NamedConfig parse_named_config(const ConfigValue& config, std::string_view context,
                               std::string_view what, std::span<const std::string> known) {
  NamedConfig named;
  named.parameters = ConfigValue::object();
  const ConfigValue* name = &config;
  if (config.is_object()) {
    name = config.find("name");
    if (name == nullptr) {
      throw config.error(fmt::format("'{}' does not say which {} is meant: \"name\" is missing; "
                                     "known are {}",
                                     context, what, join_quoted(known, "and")),
                         fmt::format("{}.name", context));
    }
    named.parameters = config;
    named.parameters.erase("name");
  } else if (!config.is_string()) {
    throw config.error(fmt::format("'{}' must be the name of the {} or an object with a \"name\", "
                                   "found {}",
                                   context, what, config.describe()),
                       std::string(context));
  }
  named.name = name->as_string(fmt::format("{}.name", context));
  if (std::find(known.begin(), known.end(), named.name) == known.end()) {
    const std::string candidate = nearest(named.name, known).value_or("");
    throw name->error(
        fmt::format("there is no {} named {}{}; known are {}", what, quote(named.name),
                    candidate.empty() ? "" : "; did you mean " + quote(candidate) + "?",
                    join_quoted(known, "and")),
        std::string(context), candidate);
  }
  return named;
}

}  // namespace grapnel
