// grapnel plugin validate
#include <fmt/format.h>

#include <memory>

#include <grapnel/base/error.h>
#include <grapnel/base/text.h>
#include <grapnel/host/inspection.h>
#include <grapnel/host/text_table.h>
#include <grapnel/host/validation.h>

#include "commands.h"
#include "output.h"
#include "plugin_options.h"

namespace grapnel::program {
namespace {

struct ValidateOptions : PluginOptions {
  std::string plugin;
  DeadlineOption deadline;
};

Color color_of(host::ValidationCheck::Outcome outcome) {
  using Outcome = host::ValidationCheck::Outcome;
  return outcome == Outcome::passed    ? Color::green
         : outcome == Outcome::warning ? Color::yellow
                                       : Color::red;
}

void print_text(const host::Validation& validation) {
  print(validation.candidate.describe() + "\n\n");
  for (const host::ValidationCheck& check : validation.checks) {
    const std::string outcome(to_string(check.outcome));
    const std::string padding(10 - outcome.size(), ' ');
    print(fmt::format("{}{}{}\n", paint(outcome, color_of(check.outcome)), padding,
                      printable(check.name)));
    print(host::wrap(printable(check.found), output_width(), 10));
  }
  if (validation.probe && !validation.probe->ok()) print(probe_error_lines(*validation.probe));
  print(validation.ok() ? "\nThe plugin is valid.\n" : "\nThe plugin is not valid.\n");
}

void run_validate(const ValidateOptions& options, Context& context) {
  const host::DiscoveryOptions discovery = options.discovery();
  const host::Validation validation =
      validate_plugin(host::find_candidate(options.plugin, discovery), discovery.directories,
                      options.deadline.probe());
  if (options.json) {
    print_json(to_json(validation));
  } else {
    print_text(validation);
  }
  if (!validation.ok()) context.exit_code = static_cast<int>(ExitCode::plugin_refused);
}

}  // namespace

void add_plugin_validate(CLI::App& parent, Context& context) {
  auto options = std::make_shared<ValidateOptions>();
  CLI::App* command =
      parent.add_subcommand("validate", "Check a plugin before it is handed to others");
  command->add_option("PLUGIN", options->plugin, "Path of a library or manifest, or an id")
      ->required();
  add_deadline_option(*command, options->deadline);
  add_plugin_options(*command, *options);
  command->footer(
      "Checks manifest and library, and that the library keeps to itself; then loads it in a "
      "process\n"
      "of its own, where each callback is made with its default parameters and destroyed. Ends "
      "with 4\n"
      "when something failed.\n\n"
      "Example:\n"
      "  grapnel plugin validate build/release/plugins/nan_guard.so");
  command->callback([options, &context] { run_validate(*options, context); });
}

}  // namespace grapnel::program
