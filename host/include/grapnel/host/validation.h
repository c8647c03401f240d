// What `grapnel plugin validate` looks at before a plugin is handed to others.
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
  enum class Outcome : std::uint8_t { passed, warning, failed };
  std::string name;  // what holds when it passed: "exports only its entry"
  Outcome outcome = Outcome::passed;
  std::string found;  // what speaks against it, and what to do; empty when passed
};

// "ok", "warning", "FAILED"
[[nodiscard]] std::string_view to_string(ValidationCheck::Outcome outcome) noexcept;

struct Validation {
  Candidate candidate;
  std::vector<ValidationCheck> checks;
  std::optional<ProbeResult> probe;  // empty when the plugin could not be loaded at all

  // Nothing failed; warnings count for nothing.
  [[nodiscard]] bool ok() const noexcept;
};

// Reads manifest and library, checks the sealing, then tries the plugin out in a process of its own.
[[nodiscard]] Validation validate_plugin(const Candidate& candidate,
                                         const HostDirectories& directories,
                                         const ProbeOptions& options);

// As `grapnel plugin validate --json` prints it.
[[nodiscard]] ConfigValue to_json(const Validation& validation);

}  // namespace grapnel::host
