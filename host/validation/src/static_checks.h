// The group static: what the files say, before any code of the plugin runs.
#pragma once

#include <vector>

#include <grapnel/validation/validation.h>

namespace grapnel::validation {

// Their ids and titles, for `--only`.
struct StaticCheck {
  std::string_view id;
  std::string_view title;
};
[[nodiscard]] const std::vector<StaticCheck>& static_checks();

// All of them; those that need a library that can be read are skipped without one.
[[nodiscard]] std::vector<CheckReport> run_static_checks(const host::Candidate& candidate);

}  // namespace grapnel::validation
