// grapnel plugin validate
#include <fmt/format.h>

#include <map>
#include <memory>

#include <grapnel/base/error.h>
#include <grapnel/base/text.h>
#include <grapnel/base/text_table.h>
#include <grapnel/host/inspection.h>
#include <grapnel/validation/validation.h>

#include "commands.h"
#include "output.h"
#include "plugin_options.h"

namespace grapnel::program {
namespace {

using validation::CheckResult;

struct ValidateOptions : PluginOptions {
  std::string plugin;
  std::vector<std::string> only;
  bool in_process = false;
  DeadlineOption deadline;
};

struct Verdict {
  std::string text;
  Color color;
};

Verdict verdict(CheckResult result) {
  switch (result) {
    case CheckResult::pass:
      return {"ok", Color::green};
    case CheckResult::warn:
      return {"warning", Color::yellow};
    case CheckResult::fail:
      return {"FAILED", Color::red};
    case CheckResult::crash:
      return {"CRASHED", Color::red};
    case CheckResult::timeout:
      return {"TIMEOUT", Color::red};
    case CheckResult::skip:
      return {"skipped", Color::dim};
  }
  return {};
}

void print_text(const validation::Validation& result, bool is_whole) {
  print(result.candidate.describe() + "\n\n");
  std::map<CheckResult, int> counts;
  for (const validation::CheckReport& check : result.checks) {
    const Verdict outcome = verdict(check.result);
    ++counts[check.result];
    const std::string padding(10 - outcome.text.size(), ' ');
    print(fmt::format("{}{}{:<33} {}\n", paint(outcome.text, outcome.color), padding, check.id,
                      check.title));
    if (check.result == CheckResult::pass) continue;
    print(wrap(printable(check.detail), output_width(), 10));
  }
  std::string summary;
  for (const auto& [outcome, count] : counts) {
    summary += fmt::format("{}{} {}", summary.empty() ? "" : ", ", count, verdict(outcome).text);
  }
  print(fmt::format("\n{} checks: {}\n", result.checks.size(), summary));
  if (!result.ok()) {
    print("The plugin is not valid.\n");
  } else {
    print(is_whole ? "The plugin is valid.\n" : "The selected checks passed.\n");
  }
}

void run_validate(const ValidateOptions& options, Context& context) {
  const host::DiscoveryOptions discovery = options.discovery();
  const validation::Validation result = validation::validate_plugin(
      host::find_candidate(options.plugin, discovery), discovery.directories,
      {.probe = options.deadline.probe(), .only = options.only, .in_process = options.in_process});
  if (options.json) {
    print_json(to_json(result));
  } else {
    print_text(result, options.only.empty());
  }
  if (!result.ok()) context.exit_code = static_cast<int>(ExitCode::plugin_refused);
}

}  // namespace

void add_plugin_validate(CLI::App& parent, Context& context) {
  auto options = std::make_shared<ValidateOptions>();
  CLI::App* command = parent.add_subcommand("validate", "Check a plugin before you distribute it");
  command->add_option("PLUGIN", options->plugin, "Path of a library or manifest, or an id")
      ->required();
  command
      ->add_option("--only", options->only,
                   "Checks and groups of checks (static, load, behaviour, state,\n"
                   "leaks, exit, hosts), separated by commas")
      ->type_name("ID|GROUP")
      ->delimiter(',')
      ->allow_extra_args(false);
  command->add_flag("--in-process", options->in_process,
                    "Run the checks in this process, for a debugger");
  add_deadline_option(*command, options->deadline);
  add_plugin_options(*command, *options);
  command->footer(
      "Checks the manifest and the library, and that the library is sealed; then runs it in a host\n"
      "without LibTorch, each check in a separate process: trainings that fail, stop and resume,\n"
      "damaged states, missing services, and what it leaves behind. Exits with 4 when a check fails.\n"
      "\n"
      "Examples:\n"
      "  grapnel plugin validate build/release/plugins/nan_guard.so\n"
      "  grapnel plugin validate my_plugin.so --only state,leaks.memory");
  command->callback([options, &context] { run_validate(*options, context); });
}

}  // namespace grapnel::program
