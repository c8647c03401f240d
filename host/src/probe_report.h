// The report of the probing child to its parent: a file of JSON lines. One per step, written before
// the step, and the last ones with the findings, one per plugin.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <grapnel/host/probe.h>

namespace grapnel::host {

// The last step, when the plugin's work is done: static destructors run.
inline constexpr std::string_view ending_step = "ending the process";

// The findings in the child.
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
  std::vector<ProbeFindings> findings;  // of each plugin; empty when the child did not finish
};

// As much as can be read: a crash may leave half a line.
[[nodiscard]] ProbeReport read_probe_report(const std::filesystem::path& file);

}  // namespace grapnel::host
