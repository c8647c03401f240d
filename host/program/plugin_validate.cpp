// grapnel plugin validate
#include <fmt/format.h>

#include <memory>

#include <grapnel/base/error.h>
#include <grapnel/base/text.h>
#include <grapnel/base/text_table.h>
#include <grapnel/host/inspection.h>
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

struct Verdict {
  std::string text;
  Color color;
};

Verdict verdict(host::ValidationCheck::Outcome outcome) {
  switch (outcome) {
    case host::ValidationCheck::Outcome::ok:
      return {"ok", Color::green};
    case host::ValidationCheck::Outcome::warning:
      return {"warning", Color::yellow};
    case host::ValidationCheck::Outcome::failed:
      return {"FAILED", Color::red};
  }
  return {};
}

void print_text(const host::Validation& validation) {
  print(validation.candidate.describe() + "\n\n");
  for (const host::ValidationCheck& check : validation.checks) {
    const Verdict outcome = verdict(check.outcome);
    const std::string padding(10 - outcome.text.size(), ' ');
    print(fmt::format("{}{}{}\n", paint(outcome.text, outcome.color), padding,
                      printable(check.check)));
    print(wrap(printable(check.found), output_width(), 10));
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
  CLI::App* command = parent.add_subcommand("validate", "Check a plugin before you distribute it");
  command->add_option("PLUGIN", options->plugin, "Path of a library or manifest, or an id")
      ->required();
  add_deadline_option(*command, options->deadline);
  add_plugin_options(*command, *options);
  command->footer(
      "Checks the manifest and the library, and that the library is sealed; then loads it in a\n"
      "separate process, creates each callback with its default parameters and destroys it.\n"
      "Exits with 4 when a check fails.\n"
      "\n"
      "Example:\n"
      "  grapnel plugin validate build/release/plugins/nan_guard.so");
  command->callback([options, &context] { run_validate(*options, context); });
}

}  // namespace grapnel::program
