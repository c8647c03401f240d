// What the probing child tells its parent: a file of JSON lines. One per step, before it is taken, and
// a last one with what was seen.
#pragma once

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <grapnel/host/probe.h>

namespace grapnel::host {

// What was seen in the child.
struct ProbeFindings {
  std::string failure;  // why the library as a whole was refused; empty when it was not
  std::vector<std::string> changed;
  std::vector<CallbackProbe> callbacks;
};

// The child's side.
class ProbeReportWriter {
 public:
  explicit ProbeReportWriter(const std::filesystem::path& file);
  // "loading it", "creating the callback 'ema'": continues "it crashed while".
  void step(std::string_view what);
  void done(const ProbeFindings& findings);

 private:
  void line(const ConfigValue& value);
  std::ofstream out_;
};

// The parent's side.
struct ProbeReport {
  std::string last_step;
  std::optional<ProbeFindings> findings;  // empty: the child did not get that far
};

// Whatever can be read: a plugin that crashed may have left half a line.
[[nodiscard]] ProbeReport read_probe_report(const std::filesystem::path& file);

}  // namespace grapnel::host
