// Options that the plugin commands share.
#pragma once

#include <CLI/App.hpp>
#include <string>
#include <vector>

#include <grapnel/host/discovery.h>
#include <grapnel/host/probe.h>

namespace grapnel::program {

struct PluginOptions {
  std::vector<std::string> plugin_path;
  bool json = false;

  [[nodiscard]] host::DiscoveryOptions discovery() const;
};

// --plugin-path and --json.
void add_plugin_options(CLI::App& command, PluginOptions& options);

struct DeadlineOption {
  double seconds = 10.0;
  // This program as the child.
  [[nodiscard]] host::ProbeOptions probe() const;
};

// --deadline
void add_deadline_option(CLI::App& command, DeadlineOption& option);

// "passed after 12 ms", "crashed after 8 ms: the process was ended by SIGSEGV (11) while loading
// it"
[[nodiscard]] std::string describe_probe(const host::ProbeResult& probe);
// The last lines of its standard error, each behind a margin; empty when there are none.
[[nodiscard]] std::string probe_error_lines(const host::ProbeResult& probe);

}  // namespace grapnel::program
