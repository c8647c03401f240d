// A check of `grapnel plugin validate` that runs the plugin. One more is one function and one line in
// the table at the end of its group's file, and a plugin in tests/hostile/checks that fails it alone.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <grapnel/validation/validation.h>

namespace grapnel::validation {

class Subject;

struct Verdict {
  CheckResult result = CheckResult::pass;
  std::string detail;
};
inline Verdict pass(std::string detail = {}) {
  return {CheckResult::pass, std::move(detail)};
}
inline Verdict warn(std::string detail) {
  return {CheckResult::warn, std::move(detail)};
}
inline Verdict fail(std::string detail) {
  return {CheckResult::fail, std::move(detail)};
}
inline Verdict skip(std::string detail) {
  return {CheckResult::skip, std::move(detail)};
}

struct Check {
  std::string_view id;     // "state.round_trip"; its group is before the dot
  std::string_view title;  // true when it passes
  Verdict (*run)(Subject& subject);
};

[[nodiscard]] inline std::string_view group_of(std::string_view id) noexcept {
  return id.substr(0, id.find('.'));
}

// One file each.
[[nodiscard]] std::vector<Check> behaviour_checks();
[[nodiscard]] std::vector<Check> condition_checks();  // of the group behaviour, too
[[nodiscard]] std::vector<Check> failure_checks();    // of the group behaviour, too
[[nodiscard]] std::vector<Check> state_checks();
[[nodiscard]] std::vector<Check> leak_checks();
[[nodiscard]] std::vector<Check> exit_checks();
[[nodiscard]] std::vector<Check> host_checks();

// All of these, in the order in which they are shown. "behaviour.training" comes first: where the
// plugin crashes or hangs in that, the others are skipped.
[[nodiscard]] const std::vector<Check>& plugin_checks();
inline constexpr std::string_view first_check = "behaviour.training";

}  // namespace grapnel::validation
