// grapnel plugin disable
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include <grapnel/base/text.h>
#include <grapnel/host/enabled.h>
#include <grapnel/host/selection.h>

#include "commands.h"
#include "output.h"
#include "plugin_options.h"

namespace grapnel::program {
namespace {

struct DisableOptions : PluginOptions {
  std::vector<std::string> plugins;
  bool all = false;
};

std::string describe(const std::string& id, host::DisableResult result) {
  switch (result) {
    case host::DisableResult::disabled:
      return fmt::format("disabled {}", quote(id));
    case host::DisableResult::noted:
      return fmt::format("{} was not enabled; runs no longer mention it", quote(id));
    case host::DisableResult::unchanged:
      return fmt::format("{} is already disabled", quote(id));
  }
  return {};
}

// Valid ids: of enabled and disabled plugins, and of those in the search path.
std::vector<std::string> known_ids(const host::EnabledPlugins& enabled,
                                   const host::DiscoveryOptions& options) {
  std::vector<std::string> ids = enabled.disabled;
  for (const host::EnabledPlugin& plugin : enabled.plugins) ids.push_back(plugin.id);
  for (const host::Candidate& candidate : discover(options).candidates) {
    ids.push_back(candidate.label());
  }
  return ids;
}

void run_disable(const DisableOptions& options) {
  const host::DiscoveryOptions discovery = options.discovery();
  const host::EnabledPlugins enabled = read_enabled(discovery.directories);
  std::vector<std::string> ids = options.plugins;
  if (options.all) {
    for (const host::EnabledPlugin& plugin : enabled.plugins) ids.push_back(plugin.id);
  } else {
    const std::vector<std::string> known = known_ids(enabled, discovery);
    for (const std::string& id : ids) {
      if (std::ranges::find(known, id) == known.end()) throw host::unknown_plugin(id, known);
    }
  }
  ConfigValue results = ConfigValue::array();
  const std::vector<host::DisableResult> disabled =
      ids.empty() ? std::vector<host::DisableResult>()
                  : host::disable_plugins(ids, discovery.directories);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const std::string& id = ids[i];
    const host::DisableResult result = disabled[i];
    ConfigValue value = ConfigValue::object();
    value.set("id", id);
    value.set("action", to_string(result));
    results.append(std::move(value));
    if (!options.json) print(describe(id, result) + "\n");
  }
  if (options.json) print_json(results);
  if (ids.empty() && !options.json) print("No plugin is enabled.\n");
}

}  // namespace

void add_plugin_disable(CLI::App& parent, Context&) {
  auto options = std::make_shared<DisableOptions>();
  CLI::App* command = parent.add_subcommand("disable", "Keep plugins out of trainings");
  auto* plugins =
      command->add_option("ID", options->plugins, "Ids, as 'grapnel plugin list' shows");
  command->add_flag("--all", options->all, "Every plugin that is enabled")->excludes(plugins);
  add_plugin_options(*command, *options);
  command->footer(
      "Running trainings keep the plugin; later ones start without it and do not mention it.\n"
      "To disable it for one run only, use grapnel fit --no-plugin ID.\n"
      "\n"
      "Example:\n"
      "  grapnel plugin disable nan_guard");
  command->callback([options] {
    if (options->plugins.empty() && !options->all) {
      throw CLI::ValidationError("name the plugins to disable, or give --all",
                                 CLI::ExitCodes::RequiredError);
    }
    run_disable(*options);
  });
}

}  // namespace grapnel::program
