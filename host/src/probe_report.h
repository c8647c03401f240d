// What the probing child tells its parent: a file of JSON lines. One per step, before it is taken, and
// a last one with what was seen.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <grapnel/host/probe.h>

namespace grapnel::host {

// The child's side.
class ProbeReportWriter {
 public:
  explicit ProbeReportWriter(const std::filesystem::path& file);
  // "loading it", "creating the callback 'ema'": continues "it crashed while".
  void step(std::string_view what);
  // `failure` is why the library as a whole was refused; empty when it was not.
  void done(const std::string& failure, const std::vector<std::string>& changed,
            const std::vector<CallbackProbe>& callbacks);

 private:
  void line(const ConfigValue& value);
  std::ofstream out_;
};

// The parent's side.
struct ProbeReport {
  std::string last_step;
  bool is_done = false;
  std::string failure;
  std::vector<std::string> changed;
  std::vector<CallbackProbe> callbacks;
};

// Whatever can be read: a plugin that crashed may have left half a line.
[[nodiscard]] ProbeReport read_probe_report(const std::filesystem::path& file);

[[nodiscard]] ConfigValue to_json(const std::vector<CallbackProbe>& callbacks);
[[nodiscard]] std::vector<CallbackProbe> callback_probes(const ConfigValue& value);
[[nodiscard]] std::vector<std::string> texts(const ConfigValue& value);

}  // namespace grapnel::host
