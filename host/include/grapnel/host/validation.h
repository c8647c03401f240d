// The checks of `grapnel plugin validate`, before a plugin is distributed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <grapnel/base/json.h>
#include <grapnel/host/discovery.h>
#include <grapnel/host/probe.h>

namespace grapnel::host {

struct ValidationCheck {
  enum class Outcome : std::uint8_t { ok, warning, failed };
  std::string check;  // true when it is ok: "exports only its entry"
  Outcome outcome = Outcome::ok;
  std::string found;  // why it is not ok, and what to do; empty when ok
};

struct Validation {
  Candidate candidate;
  std::vector<ValidationCheck> checks;
  std::optional<ProbeResult> probe;  // empty when the plugin could not be loaded at all

  // No check failed; warnings are ignored.
  [[nodiscard]] bool ok() const noexcept;
};

// Reads manifest and library, checks the sealing, then tries the plugin in a child process.
[[nodiscard]] Validation validate_plugin(const Candidate& candidate,
                                         const HostDirectories& directories,
                                         const ProbeOptions& options);

// As `grapnel plugin validate --json` prints it.
[[nodiscard]] ConfigValue to_json(const Validation& validation);

}  // namespace grapnel::host
