// The group load, and exit.destructors: what the probe tells, in which a child loads the library,
// creates each callback with its default parameters, and destroys it.
#pragma once

#include <string_view>
#include <vector>

#include <grapnel/host/manifest.h>
#include <grapnel/host/probe.h>
#include <grapnel/validation/validation.h>

namespace grapnel::validation {

struct LoadCheck {
  std::string_view id;
  std::string_view title;
};
[[nodiscard]] const std::vector<LoadCheck>& load_checks();

[[nodiscard]] std::vector<CheckReport> judge_probe(const host::ProbeResult& probe,
                                                   const host::Manifest& manifest);

}  // namespace grapnel::validation
