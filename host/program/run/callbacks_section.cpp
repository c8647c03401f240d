#include "callbacks_section.h"

#include <fmt/format.h>

#include <optional>
#include <string>
#include <utility>

#include <grapnel/base/text.h>
#include <grapnel/callback_keys.h>
#include <grapnel/callbacks/registry.h>

#include "named_items.h"

namespace grapnel::program {
namespace {

// A filter without conditions is none.
std::optional<CallFilter> filter_of(const CallbackKeys& keys) {
  return keys.filter == CallFilter{} ? std::nullopt : std::optional(keys.filter);
}

CallbackHandle make_built_in(const CallbackRegistry::Entry& entry, NamedItem item) {
  const CallbackKeys keys = take_callback_keys(item.parameters, entry.parameters(), item.context);
  CallbackHandle handle = make_callback(item.name, item.parameters, item.context);
  if (!keys.label.empty()) handle.callback->set_name(keys.label);
  handle.source = item.position.to_string();
  handle.on_error = keys.on_error;
  handle.filter = filter_of(keys);
  return handle;
}

bridge::PluginCallbackConfig plugin_config(const bridge::PluginCallbackRef& ref, NamedItem item) {
  const CallbackKeys keys =
      take_callback_keys(item.parameters, ref.callback->parameters, item.context);
  bridge::PluginCallbackConfig config{.name = item.name};
  config.enabled = item.enabled;
  config.position = item.position;
  config.on_error = keys.on_error;
  config.filter = filter_of(keys);
  config.options.name = keys.label;
  config.options.parameters = std::move(item.parameters);
  return config;
}

[[noreturn]] void refuse_unknown(const NamedItem& item, const host::PluginSelection& selection,
                                 const host::DiscoveryOptions& discovery) {
  const host::Discovery plugins = host::discover(discovery);
  if (const host::Candidate* candidate = plugins.find(item.name)) {
    throw ConfigError(item.position,
                      fmt::format("'{}' is a plugin that is not enabled; to use it: grapnel "
                                  "plugin enable {}, or --plugin {} for this run only",
                                  item.name, candidate->summary.id, candidate->summary.id),
                      item.context);
  }
  std::vector<std::string> known = callback_registry().names();
  for (std::string& name : bridge::plugin_callback_names(selection)) {
    known.push_back(std::move(name));
  }
  const std::optional<std::string> meant = nearest(item.name, known);
  throw ConfigError(item.position,
                    fmt::format("there is no callback {}{} There is no plugin of that id either; "
                                "'grapnel plugin path' shows the search path. Known callbacks: {}",
                                quote(item.name), meant ? did_you_mean(meant) : ".", join(known)),
                    item.context, meant.value_or(""));
}

}  // namespace

CallbacksSection read_callbacks(const ConfigValue& section, const host::PluginSelection& selection,
                                const host::DiscoveryOptions& discovery) {
  CallbacksSection result;
  for (NamedItem& item : read_named_items(section, "callbacks")) {
    if (const CallbackRegistry::Entry* entry = callback_registry().find(item.name)) {
      if (item.enabled) result.built_in.push_back(make_built_in(*entry, std::move(item)));
    } else if (const auto ref = bridge::find_plugin_callback(selection, item.name, item.position)) {
      result.plugins.push_back(plugin_config(*ref, std::move(item)));
    } else if (const CallbackRegistry::Entry* renamed =
                   callback_registry().find_renamed(item.name)) {
      if (item.enabled) result.built_in.push_back(make_built_in(*renamed, std::move(item)));
    } else {
      refuse_unknown(item, selection, discovery);
    }
  }
  return result;
}

}  // namespace grapnel::program
