#include "validate_child.h"

#include <memory>

#include <grapnel/base/log.h>
#include <grapnel/validation/validation.h>

namespace grapnel::program {

void add_validate_child(CLI::App& parent, Context&) {
  auto options = std::make_shared<validation::ValidationChildOptions>();
  CLI::App* command = parent.add_subcommand("validate-child", "Run one check of a plugin");
  command->group("");  // not in the help
  command->add_option("CHECK", options->check)->required();
  command->add_option("LIBRARY", options->library)->required();
  command->add_option("MANIFEST", options->manifest)->required();
  command->add_option("ORIGIN", options->origin)->required();
  command->add_option("DIRECTORY", options->directory)->required();
  command->add_option("REPORT", options->report)->required();
  command->callback([options] {
    set_log_sink(nullptr);  // everything is in the report
    validation::run_validation_child(*options);
  });
}

}  // namespace grapnel::program
