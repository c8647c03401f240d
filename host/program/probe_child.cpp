// grapnel probe-child: the process in which a plugin is probed. Started only by grapnel itself.
#include <memory>

#include <grapnel/base/log.h>
#include <grapnel/host/probe.h>

#include "commands.h"

namespace grapnel::program {

void add_probe_child(CLI::App& parent, Context&) {
  auto options = std::make_shared<host::ProbeChildOptions>();
  CLI::App* command = parent.add_subcommand("probe-child", "Load a plugin and report");
  command->group("");  // not in the help
  command->add_option("LIBRARY", options->library)->required();
  command->add_option("MANIFEST", options->manifest)->required();
  command->add_option("REPORT", options->report)->required();
  command->add_option("ORIGIN", options->origin)->required();
  command->callback([options] {
    set_log_sink(nullptr);  // everything is in the report
    host::run_probe_child(*options);
  });
}

}  // namespace grapnel::program
