// grapnel plugin list
#include <fmt/format.h>

#include <map>
#include <memory>

#include <grapnel/base/text.h>
#include <grapnel/base/text_table.h>
#include <grapnel/host/plugin_list.h>

#include "commands.h"
#include "output.h"
#include "plugin_options.h"

namespace grapnel::program {
namespace {

using host::ListedPlugin;
using host::PluginState;

Color color_of(PluginState state) {
  switch (state) {
    case PluginState::enabled:
      return Color::green;
    case PluginState::disabled:
      return Color::none;
    case PluginState::update_waits:
    case PluginState::missing:
      return Color::yellow;
    case PluginState::suspect:
    case PluginState::damaged:
    case PluginState::refused:
      return Color::red;
    case PluginState::shadowed:
      return Color::dim;
  }
  return Color::none;
}

std::string none_found(const host::PluginList& list) {
  std::string text = "No plugins were found. The search path is:\n";
  for (const host::SearchDirectory& directory : list.directories) {
    text += fmt::format("  {}{}\n", printable(directory.path.string()),
                        directory.exists ? "" : "  (does not exist)");
  }
  return text;
}

// "3 plugins: 1 enabled, 2 disabled"
std::string count_states(const host::PluginList& list) {
  std::map<PluginState, std::size_t> counts;
  for (const ListedPlugin& plugin : list.plugins) ++counts[plugin.state];
  std::vector<std::string> parts;
  for (const auto& [state, count] : counts) {
    parts.push_back(fmt::format("{} {}", count, to_string(state)));
  }
  return fmt::format("{} plugin{}: {}", list.plugins.size(), list.plugins.size() == 1 ? "" : "s",
                     join(parts));
}

void print_table(const host::PluginList& list) {
  constexpr std::size_t state_column = 2;
  TextTable table({"ID", "VERSION", "STATE", "FROM", "SUMMARY"});
  for (const ListedPlugin& plugin : list.plugins) {
    std::vector<std::string> notes;
    if (!plugin.note.empty()) notes.push_back(printable(plugin.note));
    const bool is_unusable =
        plugin.state == PluginState::refused || plugin.state == PluginState::shadowed;
    if (is_unusable && plugin.note.find(plugin.path.string()) == std::string::npos) {
      notes.push_back(printable(plugin.path.string()));
    }
    table.add(
        {printable(plugin.label()), printable(plugin.version), std::string(to_string(plugin.state)),
         std::string(to_string(plugin.origin)), printable(plugin.summary)},
        std::move(notes));
  }
  print(table.to_text(
      output_width(), [&](std::size_t row, std::size_t column, const std::string& cell) {
        return column == state_column ? paint(cell, color_of(list.plugins[row].state)) : cell;
      }));
  std::string end = "\n" + count_states(list) + "\n";
  const bool some_disabled = std::ranges::any_of(list.plugins, [](const ListedPlugin& plugin) {
    return plugin.state == PluginState::disabled;
  });
  if (some_disabled) end += "To use one in every training: grapnel plugin enable ID\n";
  print(end);
}

void run_list(const PluginOptions& options) {
  const host::PluginList list = host::list_plugins(options.discovery());
  if (options.json) {
    print_json(to_json(list));
  } else if (list.plugins.empty()) {
    print(none_found(list));
  } else {
    print_table(list);
  }
}

}  // namespace

void add_plugin_list(CLI::App& parent, Context&) {
  auto options = std::make_shared<PluginOptions>();
  CLI::App* command = parent.add_subcommand("list", "List all plugins that were found");
  add_plugin_options(*command, *options);
  command->footer(
      "Lists the plugins in the search path ('grapnel plugin path') and the enabled ones,\n"
      "without running them.\n"
      "\n"
      "States: enabled; disabled (found, not enabled); update waits (the file is another version\n"
      "than the copy in use); missing (the file is gone or unreachable, the copy is used);\n"
      "suspect (enabled; it ended a run, or failed when it was tried); damaged (the copy is gone or\n"
      "was changed, runs refuse to start); shadowed (another plugin of the same id comes first);\n"
      "refused (cannot be used, with the reason).\n"
      "\n"
      "Example:\n"
      "  grapnel plugin list --plugin-path build/release/plugins");
  command->callback([options] { run_list(*options); });
}

}  // namespace grapnel::program
