// grapnel plugin enable
#include <fmt/format.h>

#include <memory>

#include <grapnel/base/error.h>
#include <grapnel/base/log.h>
#include <grapnel/base/text.h>
#include <grapnel/host/enabling.h>
#include <grapnel/host/inspection.h>

#include "commands.h"
#include "output.h"
#include "plugin_options.h"

namespace grapnel::program {
namespace {

struct EnableOptions : PluginOptions {
  std::vector<std::string> plugins;
  bool all = false;
  bool replace = false;
  bool force = false;
  DeadlineOption deadline;

  [[nodiscard]] host::EnableOptions enabling() const {
    return {.replace = replace ? host::Replace::yes : host::Replace::no,
            .force = force ? host::Force::yes : host::Force::no,
            .probe = deadline.probe(),
            .others = discovery()};
  }
};

std::string describe(const host::EnableResult& result) {
  using Action = host::EnableResult::Action;
  const host::EnabledPlugin& plugin = result.plugin;
  switch (result.action) {
    case Action::enabled:
      return fmt::format("enabled {}; its callbacks run in every training", plugin.describe());
    case Action::updated:
      if (!result.replaced.empty()) {
        return fmt::format("enabled {} in the place of {}", plugin.describe(),
                           join(result.replaced, " and "));
      }
      return fmt::format("updated {}; {} ran before", plugin.describe(),
                         printable(result.previous_version));
    case Action::unchanged:
      return fmt::format("{} is already enabled", plugin.describe());
    case Action::repaired:
      return fmt::format("repaired {}: its copy was gone or had been changed", plugin.describe());
  }
  return {};
}

// The same, with what its user should know.
std::string describe_all(const host::EnableResult& result) {
  std::string text = describe(result) + "\n";
  if (result.links.empty()) return text;
  std::vector<std::string> libraries;
  for (const std::string& library : result.links) libraries.push_back(printable(library));
  return text + fmt::format("  it is linked with {}, which the system provides: no copy pins {}\n",
                            join(libraries), libraries.size() == 1 ? "it" : "them");
}

ConfigValue to_json(const host::EnableResult& result) {
  ConfigValue value = ConfigValue::object();
  value.set("id", result.plugin.id);
  value.set("version", result.plugin.version);
  value.set("digest", result.plugin.digest);
  value.set("path", result.plugin.origin.string());
  value.set("action", to_string(result.action));
  value.set("previous_version", result.previous_version);
  value.set("replaced", result.replaced);
  value.set("links", result.links);
  value.set("concerns", result.concerns);
  return value;
}

// --all: every drop-in that the user did not disable. Skipped plugins are reported.
std::vector<host::Candidate> all_candidates(const host::DiscoveryOptions& options) {
  const host::EnabledPlugins enabled = read_enabled(options.directories);
  const host::Discovery discovery = discover(options);
  std::vector<host::Candidate> candidates;
  for (const host::Candidate* candidate : discovery.drop_ins()) {
    if (enabled.is_disabled(candidate->summary.id)) continue;
    candidates.push_back(*candidate);
    candidates.back().shadowed_by.clear();  // only a plugin of the project can shadow it
  }
  for (const host::Candidate& candidate : discovery.candidates) {
    std::string reason = candidate.refused;
    if (candidate.usable() && enabled.is_disabled(candidate.summary.id)) {
      reason = "it is disabled; to use it: grapnel plugin enable " + candidate.summary.id;
    } else if (candidate.usable() && candidate.origin == host::SearchOrigin::project) {
      reason = "plugins of a project need your consent; to use it: grapnel plugin enable " +
               candidate.summary.id;
    }
    if (reason.empty()) continue;
    print_error(fmt::format("plugin {} is skipped: {}", candidate.describe(), printable(reason)));
  }
  return candidates;
}

void report(const host::EnableOutcome& outcome, const EnableOptions& options, ConfigValue& results,
            Context& context) {
  if (outcome.failure) {
    // The results of the others are printed in any case.
    try {
      std::rethrow_exception(outcome.failure);
    } catch (const std::exception& error) {
      print_error(error_text(error));
      context.exit_code = exit_code_of(error);
    }
    return;
  }
  const host::EnableResult& result = outcome.result;
  results.append(to_json(result));
  if (!options.json) print(describe_all(result));
  for (const std::string& concern : result.concerns) {
    log_warning("plugin {}: {}", quote(result.plugin.id), concern);
  }
}

void run_enable(const EnableOptions& options, Context& context) {
  const host::DiscoveryOptions discovery = options.discovery();
  std::vector<host::Candidate> candidates;
  if (options.all) candidates = all_candidates(discovery);
  // All are looked up before the first is enabled, so that a typo changes nothing.
  for (host::Candidate& candidate : host::find_candidates(options.plugins, discovery)) {
    candidates.push_back(std::move(candidate));
  }
  ConfigValue results = ConfigValue::array();
  if (!candidates.empty()) {
    for (const host::EnableOutcome& outcome :
         host::enable_plugins(candidates, discovery.directories, options.enabling())) {
      report(outcome, options, results, context);
    }
  }
  if (options.json) print_json(results);
  if (candidates.empty() && !options.json) print("No plugin to enable was found.\n");
}

}  // namespace

void add_plugin_enable(CLI::App& parent, Context& context) {
  auto options = std::make_shared<EnableOptions>();
  CLI::App* command = parent.add_subcommand("enable", "Let plugins run in every training");
  auto* plugins =
      command->add_option("PLUGIN", options->plugins, "Ids, or paths of libraries or manifests");
  command
      ->add_flag("--all", options->all,
                 "All usable plugins, except the project's and disabled ones")
      ->excludes(plugins);
  command->add_flag("--replace", options->replace,
                    "Let a plugin replace another whose id it calls its own former one");
  command->add_flag("--force", options->force,
                    "Enable a plugin with which trainings will fail; a warning says why");
  add_deadline_option(*command, options->deadline);
  add_plugin_options(*command, *options);
  command->footer(
      "Tries each plugin in a process of its own (this runs its code, in at most 1 GiB of memory)\n"
      "and refuses one that can't be loaded or whose callbacks can't be created. Copies the library\n"
      "into a private store, from which it is loaded. When the file changes, the copy stays in use\n"
      "until the new version is enabled.\n"
      "\n"
      "Examples:\n"
      "  grapnel plugin enable nan_guard grad_norm\n"
      "  grapnel plugin enable ./build/my_plugin.so");
  command->callback([options, &context] {
    if (options->plugins.empty() && !options->all) {
      throw CLI::ValidationError("name the plugins to enable, or give --all",
                                 CLI::ExitCodes::RequiredError);
    }
    run_enable(*options, context);
  });
}

}  // namespace grapnel::program
