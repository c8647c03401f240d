#include "probe_child.h"

#include <filesystem>
#include <memory>
#include <vector>

#include <grapnel/base/log.h>
#include <grapnel/host/probe.h>

namespace grapnel::program {

void add_probe_child(CLI::App& parent, Context&) {
  auto options = std::make_shared<host::ProbeChildOptions>();
  auto files = std::make_shared<std::vector<std::filesystem::path>>();
  CLI::App* command = parent.add_subcommand("probe-child", "Load a plugin and report");
  command->group("");  // not in the help
  command->add_option("LIBRARY MANIFEST ORIGIN ... REPORT", *files)->required();
  command->callback([options, files] {
    for (std::size_t i = 0; i + 3 < files->size(); i += 3) {
      options->plugins.push_back({(*files)[i], (*files)[i + 1], (*files)[i + 2]});
    }
    options->report = files->back();
    set_log_sink(nullptr);  // everything is in the report
    host::run_probe_child(*options);
  });
}

}  // namespace grapnel::program
