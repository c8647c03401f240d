// grapnel plugin path
#include <fmt/format.h>

#include <memory>

#include <grapnel/base/text.h>
#include <grapnel/base/text_table.h>
#include <grapnel/host/enabled.h>
#include <grapnel/host/store.h>
#include <grapnel/host/trust.h>

#include "commands.h"
#include "output.h"
#include "plugin_options.h"

namespace grapnel::program {
namespace {

std::string problem(const host::SearchDirectory& directory) {
  if (!directory.exists) return "does not exist";
  return host::TrustChecker().directory_refusal(directory.path);
}

void run_path(const PluginOptions& options) {
  const host::DiscoveryOptions discovery = options.discovery();
  const auto path = plugin_search_path(discovery.plugin_path, discovery.directories);
  const std::string record = enabled_file(discovery.directories).string();
  const std::string store = host::Store(discovery.directories).directory().string();
  if (options.json) {
    ConfigValue directories = ConfigValue::array();
    for (const host::SearchDirectory& directory : path) {
      ConfigValue value = ConfigValue::object();
      value.set("path", directory.path.string());
      value.set("origin", to_string(directory.origin));
      value.set("exists", directory.exists);
      value.set("problem", directory.exists ? problem(directory) : "");
      directories.append(std::move(value));
    }
    ConfigValue root = ConfigValue::object();
    root.set("directories", std::move(directories));
    root.set("enabled", record);
    root.set("store", store);
    print_json(root);
    return;
  }
  TextTable table({"FROM", "DIRECTORY"});
  for (const host::SearchDirectory& directory : path) {
    std::vector<std::string> notes;
    if (std::string text = problem(directory); !text.empty()) notes.push_back(printable(text));
    table.add({std::string(to_string(directory.origin)), printable(directory.path.string())},
              std::move(notes));
  }
  print(table.to_text(0));
  print(
      fmt::format("\n"
                  "If several plugins have the same id, the first one wins.\n"
                  "Enabled plugins are recorded in {}\n"
                  "and run from their copies in {}\n",
                  printable(record), printable(store)));
}

}  // namespace

void add_plugin_path(CLI::App& parent, Context&) {
  auto options = std::make_shared<PluginOptions>();
  CLI::App* command = parent.add_subcommand("path", "Show the search path for plugins, in order");
  add_plugin_options(*command, *options);
  command->footer(
      "The order: --plugin-path, GRAPNEL_PLUGIN_PATH (a list of directories), .grapnel/plugins in\n"
      "the working directory, the user's data directory, what is installed with grapnel.\n\n"
      "Example:\n"
      "  GRAPNEL_PLUGIN_PATH=~/plugins grapnel plugin path");
  command->callback([options] { run_path(*options); });
}

}  // namespace grapnel::program
