// grapnel callbacks list, grapnel callbacks show: the callbacks that run.json may name.
#include <CLI/CLI.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <grapnel/base/error.h>
#include <grapnel/base/text.h>
#include <grapnel/base/text_table.h>
#include <grapnel/bridge/plugins.h>
#include <grapnel/callbacks/registry.h>

#include "commands.h"
#include "output.h"

namespace grapnel::program {
namespace {

struct CallbacksRequest {
  std::string name;
  std::vector<std::string> plugins;
  std::vector<std::string> plugin_path;
  bool json = false;
};

// A callback that is built in or of an enabled plugin.
struct Known {
  std::string name;
  std::string origin;  // "built in", "ema 1.0.0"
  std::string summary;
  const ParameterTable* parameters;
  std::span<const std::string_view> former_names = {};  // the latest first
};

std::vector<Known> known_callbacks(const host::PluginSelection& selection) {
  std::vector<Known> known;
  for (const CallbackRegistry::Entry& entry : callback_registry()) {
    known.push_back(
        {entry.name(), "built in", entry.summary(), &entry.parameters(), entry.former_names});
  }
  for (const host::SelectedPlugin& plugin : selection.plugins) {
    for (const host::CallbackManifest& callback : plugin.manifest->callbacks) {
      const bool alone = callback.name == plugin.manifest->id;
      known.push_back({alone ? callback.name : plugin.manifest->id + "." + callback.name,
                       plugin.manifest->id + " " + plugin.manifest->version, callback.summary,
                       &callback.parameters});
    }
  }
  return known;
}

host::PluginSelection select(const CallbacksRequest& request) {
  return host::select_plugins({.discovery = {.plugin_path = request.plugin_path},
                               .plugins = request.plugins,
                               .no_plugins = {},
                               .environment = std::nullopt});
}

ConfigValue to_json(const Known& callback) {
  ConfigValue entry = ConfigValue::object();
  entry.set("name", callback.name);
  entry.set("origin", callback.origin);
  entry.set("summary", callback.summary);
  if (!callback.former_names.empty()) {
    ConfigValue names = ConfigValue::array();
    for (const std::string_view name : callback.former_names) names.append(std::string(name));
    entry.set("former_names", names);
  }
  entry.set("parameters", callback.parameters->to_manifest());
  return entry;
}

void list(const CallbacksRequest& request) {
  const host::PluginSelection selection = select(request);
  if (request.json) {
    ConfigValue all = ConfigValue::array();
    for (const Known& callback : known_callbacks(selection)) all.append(to_json(callback));
    return print_json(all);
  }
  TextTable table({"callback", "origin", "what it does"});
  for (const Known& callback : known_callbacks(selection)) {
    std::string summary = callback.summary;
    if (!callback.former_names.empty()) {
      summary += fmt::format(" Formerly {}.", fmt::join(callback.former_names, ", "));
    }
    table.add({printable(callback.name), printable(callback.origin), printable(summary)});
  }
  print(table.to_text(output_width()));
}

void show(const CallbacksRequest& request) {
  const host::PluginSelection selection = select(request);
  const std::vector<Known> known = known_callbacks(selection);
  const auto is_known = [&](const Known& callback) { return callback.name == request.name; };
  const CallbackRegistry::Entry* entry =
      callback_registry().find(request.name);  // also by its class name
  if (entry == nullptr && std::none_of(known.begin(), known.end(), is_known)) {
    entry = callback_registry().find_renamed(request.name);
  }
  const std::string name = entry != nullptr ? entry->name() : request.name;
  std::vector<std::string> names;
  for (const Known& callback : known) {
    names.push_back(callback.name);
    if (callback.name != name) continue;
    if (request.json) return print_json(to_json(callback));
    const std::string help = callback.parameters->to_help();
    std::string former;
    if (!callback.former_names.empty()) {
      former =
          fmt::format("Former names, still accepted: {}\n", fmt::join(callback.former_names, ", "));
    }
    return print(fmt::format("{} ({})\n{}\n{}\n{}", printable(callback.name),
                             printable(callback.origin), printable(callback.summary), former,
                             help.empty() ? "It has no parameters.\n" : help));
  }
  const auto meant = nearest(name, names);
  throw ConfigError({},
                    fmt::format("there is no callback {}; see 'grapnel callbacks list'{}",
                                quote(name), did_you_mean(meant)),
                    name, meant.value_or(""));
}

CLI::App& add_command(CLI::App& parent, const char* name, const char* summary, const char* example,
                      const std::shared_ptr<CallbacksRequest>& request,
                      void (*run)(const CallbacksRequest&)) {
  CLI::App& command = *parent.add_subcommand(name, summary);
  command.add_flag("--json", request->json, "Print JSON");
  command
      .add_option("--plugin", request->plugins,
                  "Also use this plugin, which need not be enabled; repeatable")
      ->type_name("ID|FILE")
      ->allow_extra_args(false);
  command
      .add_option("--plugin-path", request->plugin_path,
                  "Search this directory for plugins first; repeatable")
      ->type_name("DIR")
      ->allow_extra_args(false);
  command.footer(fmt::format("Example:\n  {}", example));
  command.callback([request, run] { run(*request); });
  return command;
}

}  // namespace

void add_callbacks(CLI::App& app, Context&) {
  CLI::App& group = *app.add_subcommand("callbacks", "List the callbacks that a run.json can name");
  group.require_subcommand(1);
  const auto request = std::make_shared<CallbacksRequest>();
  add_command(group, "list", "List all callbacks, one line each", "grapnel callbacks list", request,
              &list);
  add_command(group, "show", "Show one callback with its parameters",
              "grapnel callbacks show early_stopping", request, &show)
      .add_option("name", request->name, "Its name")
      ->required()
      ->type_name("NAME");
}

}  // namespace grapnel::program
