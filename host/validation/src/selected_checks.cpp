#include "selected_checks.h"

#include <fmt/format.h>

#include <algorithm>

#include <grapnel/base/error.h>
#include <grapnel/base/text.h>

#include "check.h"
#include "load_checks.h"
#include "static_checks.h"

namespace grapnel::validation {
namespace {

std::vector<std::string> all_ids() {
  std::vector<std::string> ids;
  for (const StaticCheck& check : static_checks()) ids.emplace_back(check.id);
  for (const LoadCheck& check : load_checks()) ids.emplace_back(check.id);
  for (const Check& check : plugin_checks()) ids.emplace_back(check.id);
  return ids;
}

}  // namespace

SelectedChecks::SelectedChecks(std::vector<std::string> only) : only_(std::move(only)) {
  std::vector<std::string> known = all_ids();
  std::vector<std::string> groups;
  for (const std::string& id : known) {
    const std::string group(group_of(id));
    if (std::ranges::find(groups, group) == groups.end()) groups.push_back(group);
  }
  known.insert(known.end(), groups.begin(), groups.end());
  for (const std::string& name : only_) {
    if (std::ranges::find(known, name) != known.end()) continue;
    const auto near = nearest(name, known);
    throw ConfigError::of("only", "there is no check or group {}{}; the groups are {}", quote(name),
                          near ? fmt::format("; did you mean {}?", quote(*near)) : "",
                          join(groups));
  }
}

bool SelectedChecks::contains(std::string_view id) const {
  return only_.empty() || std::ranges::any_of(only_, [&](const std::string& name) {
           return name == id || name == group_of(id);
         });
}

}  // namespace grapnel::validation
