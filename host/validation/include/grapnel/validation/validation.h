// The checks of `grapnel plugin validate`, before a plugin is distributed.
//
// The static ones read the file; the others run the plugin in the SDK's test kit, a host without
// LibTorch, each in a child process of its own with a deadline: a crash or a hang is a result. The
// groups: static, load, behaviour, state, leaks, exit, hosts. src/check.h says how to add a check.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <grapnel/base/json.h>
#include <grapnel/host/discovery.h>
#include <grapnel/host/probe.h>

namespace grapnel::validation {

enum class CheckResult : std::uint8_t {
  pass,
  warn,     // it works, and something is better changed
  fail,     // it breaks the contract
  crash,    // a signal ended the child, or the plugin did
  timeout,  // the child did not finish before the deadline
  skip,     // there is nothing to check, or another check's failure prevents it
};

[[nodiscard]] std::string_view to_string(CheckResult result) noexcept;

struct CheckReport {
  std::string id;     // "state.round_trip"
  std::string group;  // "state"
  std::string title;  // "a state that is loaded is saved again as it was"; not in the JSON
  CheckResult result = CheckResult::pass;
  std::string detail;  // why it is not a pass, and what to do; or what was tried
};

struct Validation {
  host::Candidate candidate;
  std::vector<CheckReport> checks;

  // No check failed, crashed or timed out.
  [[nodiscard]] bool ok() const noexcept;
};

struct ValidationOptions {
  host::ProbeOptions probe;       // the child's program, called as `PROGRAM validate-child ...`
  std::vector<std::string> only;  // ids and groups; empty: all
  // Runs the checks of the plugin in this process, one after the other, for a debugger: a crash ends
  // it. Those of the group load are skipped.
  bool in_process = false;
};

// ConfigError, naming the nearest, when `only` names neither a check nor a group.
[[nodiscard]] Validation validate_plugin(const host::Candidate& candidate,
                                         const host::HostDirectories& directories,
                                         const ValidationOptions& options);

// As `--json` prints it: {"plugin", "checks": [{"id", "group", "result", "detail"}]}.
[[nodiscard]] ConfigValue to_json(const Validation& validation);

// The arguments of `validate-child`.
struct ValidationChildOptions {
  std::string check;                // its id
  std::filesystem::path library;    // a copy that only this user can change
  std::filesystem::path manifest;   // plugin.json
  std::filesystem::path origin;     // where the copy came from, for messages
  std::filesystem::path directory;  // empty; the plugin's working directory
  std::filesystem::path report;     // to be written
};

// Runs one check in the child, writes the report, and ends the process without its destructors.
[[noreturn]] void run_validation_child(const ValidationChildOptions& options);

}  // namespace grapnel::validation
